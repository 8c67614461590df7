"""Named checkpoints: tags `checkpoint/NAME` in the history, pushed when their commit is on the remote."""

import re
from dataclasses import dataclass

from syncd.core.entry import CommitId
from syncd.core.errors import NeedsUser
from syncd.git.commits import History, is_branch_name
from syncd.publisher.workspace import Workspace

_BELOW = "refs/tags/checkpoint/"
_PUBLISHED = "refs/checkpoints/"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A commit with a name; `time` is the commit's, in seconds since 1970."""

    name: str
    commit: CommitId
    time: int
    message: str


def tag_of(name: str) -> str:
    """The tag's short name in git."""
    return f"checkpoint/{name}"


def make(here: Workspace, name: str, message: str) -> str:
    """Name the folder's last commit; a sentence.  NeedsUser if the name is taken or can't be one."""
    name, head = plain(name), here.head
    if head is None:
        raise NeedsUser("There is nothing in this folder yet: put something in it first.")
    taken = next((each for each in known(here.history) if each.name.casefold() == name.casefold()), None)
    if taken is not None:
        raise NeedsUser(f"There is a checkpoint “{taken.name}” already ({taken.commit[:10]}): choose another name.")
    here.history.tag(tag_of(name), head, here.author, message.strip())
    return f"Checkpoint “{name}” is {head[:10]}; `syncd restore PATH --version {name}` brings files of it back."


def plain(name: str) -> str:
    """The name as git can keep it, blanks made to hyphens.  NeedsUser if it can't be one."""
    text = re.sub(r"\s+", "-", name.strip())
    if not text or "/" in text or text == "original" or len(text) > 100 or not is_branch_name(text):
        raise NeedsUser(f"“{name}” can't be the name of a checkpoint: use letters, digits and hyphens, like week-3.")
    return text


def known(history: History) -> list[Checkpoint]:
    """All checkpoints, newest first."""
    found = []
    for ref in history.refs(_BELOW):
        commit = history.ref(ref)
        if commit is not None:
            name = ref.removeprefix(_BELOW)
            said = history.tag_message(tag_of(name)).strip()
            found.append(Checkpoint(name, commit, history.look_up(commit).time, said))
    return sorted(found, key=lambda each: each.time, reverse=True)


def commit_of(history: History, name: str) -> CommitId:
    """The commit of a checkpoint.  NeedsUser if there is none of this name."""
    found = named(history, name)
    if found is None:
        raise NeedsUser(f"There is no checkpoint “{name}”; `syncd checkpoint` lists them.")
    return found


def named(history: History, name: str) -> CommitId | None:
    """The commit of a checkpoint, if there is one of this name."""
    text = re.sub(r"\s+", "-", name.strip())
    return history.ref(_BELOW + text) if text and is_branch_name(text) else None


def unpublished(history: History) -> list[str]:
    """The checkpoints that the remote has not taken yet."""
    done = {ref.removeprefix(_PUBLISHED) for ref in history.refs(_PUBLISHED)}
    return [ref.removeprefix(_BELOW) for ref in history.refs(_BELOW) if ref.removeprefix(_BELOW) not in done]


def published(history: History, name: str) -> None:
    """Note that the remote has a checkpoint."""
    history.set_ref(_PUBLISHED + name, commit_of(history, name))
