"""One git remote: what it shows, fetching from it, pushing to it.

http(s) and local paths by libgit2 in this process, ssh by the `git` command.  The token is asked
for at each use and travels in a header only: never in an address, an argument, a log or a file.
Redirects are never followed with it (libgit2 is told so in the repository's own settings); a move
on the same host is looked up by `advertisement.py` first.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import pygit2

from syncd.core.entry import CommitId
from syncd.core.errors import NeedsUser, SyncError, TryAgain
from syncd.core.transfer import Direction, Told, Transfer
from syncd.git import ssh
from syncd.git.address import Address, Kind, check_branch, parse_address
from syncd.git.advertisement import READ, WRITE, Advertisement, advertised, authorization
from syncd.git.failure import Behind, Busy, Damaged, NoBranch, by_status, by_text, rejected, status_in
from syncd.git.shown import Shown, shown

__all__ = ["Behind", "Busy", "Damaged", "NoBranch", "Remote"]

# A commit that a ref names must be on disk before the ref is; one setting for the whole process.
pygit2.settings.enable_fsync_gitdir(True)
# Each fetch adds a pack, and all that were ever read would stay open.
pygit2.settings.mwindow_file_limit = 32

_LOCAL_DAMAGE = frozenset({9, 11, 14})  # git_error_t: ODB, OBJECT, TREE
_SERVERS_WORDS = 4000


class _Moved(TryAgain):
    """The repository answers at another address of the same host, which is known now."""


class _Talk(pygit2.RemoteCallbacks):
    """One conversation: hands over the token, collects the server's words, tells how far it is."""

    def __init__(self, token: str | None, told: Told | None = None) -> None:
        super().__init__()
        self._token, self._told, self._began = token, told, time.monotonic()
        self.spoken = ""
        self.answers: dict[str, str | None] = {}

    def custom_headers(self) -> list[str] | None:
        return [f"Authorization: {authorization(self._token)}"] if self._token else None

    def sideband_progress(self, string: str) -> None:
        self.spoken = (self.spoken + string)[-_SERVERS_WORDS:]

    def transfer_progress(self, stats: pygit2.remotes.TransferProgress) -> None:
        self._tell(Direction.FETCH, stats.received_objects, stats.total_objects, stats.received_bytes)

    def push_transfer_progress(self, objects_pushed: int, total_objects: int, bytes_pushed: int) -> None:
        self._tell(Direction.PUSH, objects_pushed, total_objects, bytes_pushed)

    def _tell(self, direction: Direction, objects: int, of: int, amount: int) -> None:
        if self._told is not None:
            self._told(Transfer(direction, objects, of, amount, time.monotonic() - self._began))

    def push_update_reference(self, refname: str, message: str | None) -> None:
        self.answers[refname] = message


class Remote:
    """A remote by its address.  Methods block; each may be called from any thread."""

    def __init__(self, url: str, credentials: Callable[[], str | None], *, timeout_s: float = 30) -> None:
        """NeedsUser if we refuse the address.  `credentials` gives a token, or None where none is needed."""
        self.address = parse_address(url)
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._moved: Address | None = None

    def head(self, branch: str) -> CommitId | None:
        """The commit the remote shows for a branch now; None: no such branch."""
        return self.branches().get(branch)

    def branches(self) -> dict[str, CommitId]:
        """All branches; an empty repository has none."""
        return self.look().branches

    def default_branch(self) -> str | None:
        """The branch that HEAD names on the remote; None in an empty repository."""
        return self.look().default_branch

    def may_push(self) -> bool:
        """Whether the server would let this token write (asked of http servers; elsewhere only a push tells)."""
        if self.address.kind is not Kind.HTTP:
            self.look()
            return True
        token = self._credentials()
        self._advertised(READ, token)  # a wrong address or token is not a missing right
        try:
            self._advertised(WRITE, token)
        except TryAgain:
            raise
        except NeedsUser:
            return False
        return True

    def fetch(
        self, repository: Path, branch: str, *, depth: int = 0, told: Told | None = None, name: str = "origin"
    ) -> CommitId:
        """Bring a branch into the repository's refs/remotes/<name>/<branch>; the commit it shows now.

        NoBranch if there is none; the repository's own ref stays as it was then.  `depth` 0 brings all
        history; libgit2 can't leave any out of what lies on this machine.  `told` hears how far it is (not by ssh).
        """
        check_branch(branch)
        if self.address.kind is Kind.SSH:
            ssh.fetch(self.address, repository, [_spec(branch, name)], self._timeout_s, branch)
            with _opened(repository) as here:
                return CommitId(str(here.references[f"refs/remotes/{name}/{branch}"].target))
        try:
            heads = self._fetched(repository, [_spec(branch, name)], depth, told)
        except _Moved:
            heads = self._fetched(repository, [_spec(branch, name)], depth, told)
        commit = heads.get(f"refs/heads/{branch}")
        if commit is None:
            raise NoBranch(_no_branch(self.address, branch, heads))
        return CommitId(str(commit))

    def fetch_tags(self, repository: Path, tags: Sequence[str], into: str) -> None:
        """Bring tags into the repository's refs below `into`, which follow them; NoBranch if one just went away."""
        specs = [f"+refs/tags/{tag}:{into}{tag}" for tag in tags]
        if self.address.kind is Kind.SSH:
            ssh.fetch(self.address, repository, specs, self._timeout_s)
            return
        try:
            self._fetched(repository, specs)
        except _Moved:
            self._fetched(repository, specs)

    def push(
        self, repository: Path, commit: CommitId, branch: str, *, told: Told | None = None, name: str = "origin"
    ) -> None:
        """Make the remote's branch show this commit, never by force.

        Behind when that is no fast-forward, Refused with the server's words when it says no; returns
        only when the server accepted it.  The repository's refs/remotes/<name>/<branch> follows.
        """
        self._push(repository, commit, f"refs/heads/{check_branch(branch)}", branch, told)
        with _opened(repository) as here:
            here.references.create(f"refs/remotes/{name}/{branch}", commit, force=True)

    def push_tag(self, repository: Path, tag: str) -> None:
        """Publish a tag of the repository, never by force: Refused if the remote has another of this name."""
        with _opened(repository) as here:
            there = str(here.references[f"refs/tags/{tag}"].target)
        self._push(repository, there, f"refs/tags/{tag}", tag)

    def _push(self, repository: Path, what: str, ref: str, branch: str, told: Told | None = None) -> None:
        if self.address.kind is Kind.SSH:
            ssh.push(self.address, repository, what, ref, self._timeout_s)
        else:
            try:
                talk = self._pushed(repository, f"{what}:{ref}", branch, told)
            except _Moved:
                talk = self._pushed(repository, f"{what}:{ref}", branch, told)
            reason = talk.answers.get(ref)
            if reason is not None:
                raise rejected(self.address, branch, reason, talk.spoken)
            if ref not in talk.answers and self.head(branch) != what:
                raise TryAgain(f"{self.address.host or self.address} did not say that it took the push; we try again.")

    def _fetched(
        self, repository: Path, specs: list[str], depth: int = 0, told: Told | None = None
    ) -> dict[str | None, pygit2.Oid]:
        with self._conversation(repository, READ, told=told) as (remote, talk):
            remote.fetch(
                specs, callbacks=talk, proxy=self._proxy, depth=0 if self.address.kind is Kind.LOCAL else depth
            )
            return {head.name: head.oid for head in remote.list_heads(connect=False)}

    def _pushed(self, repository: Path, spec: str, branch: str, told: Told | None) -> _Talk:
        with self._conversation(repository, WRITE, branch, told) as (remote, talk):
            remote.push([spec], callbacks=talk, proxy=self._proxy)
        return talk

    @property
    def _proxy(self) -> Literal[True] | None:
        return None if self.address.is_loopback or self.address.kind is Kind.LOCAL else True

    def _advertised(self, service: str, token: str | None) -> Advertisement:
        found = advertised(self.address, service, token, self._timeout_s)
        self._moved = found.address if found.address != self.address else None
        return found

    def look(self) -> Shown:
        """What it shows now."""
        if self.address.kind is Kind.HTTP:
            return self._advertised(READ, self._credentials()).shown
        if self.address.kind is Kind.SSH:
            return ssh.look(self.address, self._timeout_s)
        try:
            with _freed(pygit2.Repository(_local_path(self.address))) as there:
                refs = [(name, str(there.references[name].target)) for name in there.references]
                default = None if there.head_is_unborn or there.head_is_detached else there.head.shorthand
        except pygit2.GitError as error:
            raise by_text(self.address, f"does not exist: {error}") from error
        return shown(refs, default)

    @contextmanager
    def _conversation(
        self, repository: Path, service: str, branch: str = "", told: Told | None = None
    ) -> Generator[tuple[pygit2.remotes.Remote, _Talk]]:
        """A libgit2 remote of the repository; what it raises comes out as our errors."""
        # RACE: settings of the process; remotes with other timeouts may talk at the same time, and get these.
        pygit2.settings.server_connect_timeout = pygit2.settings.server_timeout = int(self._timeout_s * 1000)
        token = self._credentials() if self.address.kind is Kind.HTTP else None
        talk = _Talk(token, told)
        try:
            with _opened(repository) as here:
                if self.address.kind is Kind.HTTP and "http.followredirects" not in here.config:
                    here.config["http.followRedirects"] = False
                yield here.remotes.create_anonymous((self._moved or self.address).url), talk
        except pygit2.GitError as error:
            raise self._translated(error, service, branch, token) from error
        except (OSError, ValueError, KeyError) as error:
            raise by_text(self.address, str(error)) from error

    def _translated(self, error: pygit2.GitError, service: str, branch: str, token: str | None) -> SyncError:
        message, pushing = str(error), service == WRITE
        if pushing and ("fastforward" in message or "not present locally" in message):
            return rejected(self.address, branch, "non-fast-forward", "")
        missing = isinstance(error, pygit2.NotFoundError) and "object not found" in message
        missing = missing or "missing delta bases" in message  # the server builds on objects that we said we have
        if missing or getattr(error, "error_class", None) in _LOCAL_DAMAGE:
            return Damaged(
                f"The copy of the repository on this machine can't be read ({message}): it must be made anew."
            )
        if self.address.kind is Kind.HTTP:
            status = status_in(message)
            if status in (None, 302, 401, 403, 404) and "timed out" not in message and "resolve" not in message:
                # Ask once more by ourselves: the answer to this says more than libgit2 does.
                try:
                    moved = self._moved
                    self._advertised(service, token)
                except SyncError as precise:
                    return precise
                if self._moved != moved:
                    return _Moved(f"The repository has moved to {self._moved}; we go on there.")
            if status is not None:
                return by_status(self.address, status, pushing=pushing, with_token=token is not None)
        return by_text(self.address, message)


def _spec(branch: str, name: str) -> str:
    return f"+refs/heads/{branch}:refs/remotes/{name}/{branch}"


@contextmanager
def _opened(repository: Path) -> Generator[pygit2.Repository]:
    try:
        opened = pygit2.Repository(str(repository))
    except pygit2.GitError as error:
        raise Damaged(f"There is no readable repository in {repository}: it must be made anew.") from error
    with _freed(opened):
        yield opened


@contextmanager
def _freed(repository: pygit2.Repository) -> Generator[pygit2.Repository]:
    """Let go of it at the end: it refers to itself, so its open packs would stay until dead cycles are looked for."""
    try:
        yield repository
    finally:
        repository.free()


def _local_path(address: Address) -> str:
    return unquote(urlsplit(address.url).path) if address.url.lower().startswith("file:") else address.url


def _no_branch(address: Address, branch: str, shown: dict[str | None, pygit2.Oid]) -> str:
    others = sorted(name.removeprefix("refs/heads/") for name in shown if name and name.startswith("refs/heads/"))
    if not others:
        return f"The repository at {address} is still empty: publish something to its branch '{branch}' first."
    return f"{address} has no branch '{branch}' (it has {', '.join(others[:5])}): check the name."
