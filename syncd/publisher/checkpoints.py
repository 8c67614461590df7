"""Named checkpoints: tags `checkpoint/NAME`, pushed when their commit is on the remote; and those of colleagues."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from syncd.core.entry import CommitId
from syncd.core.errors import NeedsUser
from syncd.git.commits import History, is_branch_name
from syncd.publisher.workspace import Workspace

_TAG = "checkpoint/"
_MINE = f"refs/tags/{_TAG}"
THEIRS = "refs/colleagues/"
"""With the tag's name behind it: what comes from the remote never takes the place of what was made here."""
_OTHER = "~theirs"
"""No ref can have this in its name."""
_PUBLISHED = "refs/checkpoints/"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A commit with a name; `time` is the commit's, in seconds since 1970, and `mine` whether it was made here."""

    name: str
    commit: CommitId
    time: int
    message: str
    author: str
    mine: bool


def tag_of(name: str) -> str:
    """The tag's short name in git."""
    return _TAG + name


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


def _fits(name: str) -> bool:
    return (
        0 < len(name) <= 100 and "/" not in name and name != "original" and name.isprintable() and is_branch_name(name)
    )


def plain(name: str) -> str:
    """The name as git can keep it, blanks made to hyphens.  NeedsUser if it can't be one."""
    text = re.sub(r"\s+", "-", name.strip())
    if not _fits(text):
        raise NeedsUser(f"“{name}” can't be the name of a checkpoint: use letters, digits and hyphens, like week-3.")
    return text


def known(history: History) -> list[Checkpoint]:
    """All checkpoints, newest first.  Where a colleague's has the name of one of ours, it is called NAME~theirs."""
    mine = _below(history, _MINE, True)
    names = {each.name.casefold() for each in mine}
    theirs = [
        replace(each, name=each.name + _OTHER) if each.name.casefold() in names else each
        for each in _below(history, THEIRS + _TAG, False)
    ]
    return sorted([*mine, *theirs], key=lambda each: each.time, reverse=True)


def _below(history: History, prefix: str, mine: bool) -> list[Checkpoint]:
    found = []
    for ref in history.refs(prefix):
        commit = history.ref(ref)
        if commit is not None:
            (said, by), made = history.tag_words(ref), history.look_up(commit)
            name = ref.removeprefix(prefix)
            found.append(Checkpoint(name, commit, made.time, said.strip(), by or made.author.name, mine))
    return found


def commit_of(history: History, name: str) -> CommitId:
    """The commit of a checkpoint.  NeedsUser if there is none of this name."""
    found = named(history, name)
    if found is None:
        raise NeedsUser(f"There is no checkpoint “{name}”; `syncd checkpoint` lists them.")
    return found


def named(history: History, name: str) -> CommitId | None:
    """The commit of a checkpoint, if there is one of this name."""
    text = re.sub(r"\s+", "-", name.strip())
    plain, other = text.removesuffix(_OTHER), text.endswith(_OTHER)
    if not plain or not is_branch_name(plain):
        return None
    return (None if other else history.ref(_MINE + plain)) or history.ref(f"{THEIRS}{_TAG}{plain}")


def unpublished(history: History) -> list[str]:
    """The checkpoints that the remote has not taken yet."""
    done = {ref.removeprefix(_PUBLISHED) for ref in history.refs(_PUBLISHED)}
    return [ref.removeprefix(_MINE) for ref in history.refs(_MINE) if ref.removeprefix(_MINE) not in done]


def published(history: History, name: str) -> None:
    """Note that the remote has a checkpoint."""
    history.set_ref(_PUBLISHED + name, commit_of(history, name))


def news(history: History, tags: Mapping[str, str]) -> list[str]:
    """Of the tags that the remote shows (with their objects), colleagues' checkpoints that are to be fetched.

    Those that it shows no more, or that are ours by now, are forgotten.
    """
    shown = {tag: id for tag, id in tags.items() if tag.startswith(_TAG) and _fits(tag.removeprefix(_TAG))}
    for ref in history.refs(THEIRS):
        tag = ref.removeprefix(THEIRS)
        if shown.get(tag) in (None, history.target(f"refs/tags/{tag}")):
            history.drop_ref(ref)
    return [
        tag for tag, id in shown.items() if id not in (history.target(f"refs/tags/{tag}"), history.target(THEIRS + tag))
    ]


def took(history: History) -> None:
    """After a fetch: forget what names no commit, which people with plain git may have made."""
    for ref in history.refs(THEIRS):
        if history.ref(ref) is None:
            history.drop_ref(ref)


def clashes(history: History, name: str, tags: Mapping[str, str]) -> str | None:
    """Why a checkpoint of ours can't be pushed, in a sentence, if the remote has another of its name."""
    if tags.get(tag_of(name)) in (None, history.target(_MINE + name)):
        return None
    return (
        f"A colleague has another checkpoint “{name}”: yours stays on this computer only, and theirs is called "
        f"“{name}{_OTHER}” here."
    )
