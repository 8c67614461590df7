"""What was saved since the remote's commit goes as one commit, where the remote refuses something in between.

Hosts look at every commit of a push: a file that is too large, or a key, is refused for ever although it was
taken away again, as long as a commit that had it is part of what is pushed.
"""

from collections.abc import Awaitable, Callable

from syncd.core.entry import CommitId
from syncd.core.errors import Refused
from syncd.publisher import words
from syncd.publisher.worker import Worker
from syncd.publisher.workspace import Workspace

_MARK = "refs/sent-in-one"


class InOne:
    """For one folder, as long as it is open."""

    def __init__(self, here: Workspace, disk: Worker, send: Callable[[CommitId], Awaitable[None]]) -> None:
        """`send` pushes a commit; all else is done in the disk's thread."""
        self._here, self._disk, self._send = here, disk, send
        self._tried: bytes | None = None

    async def push(self, shown: CommitId | None, head: CommitId) -> None:
        """Push `head`; if that is refused, what it changes of the remote's `shown` commit.  Raises as `send` does."""
        try:
            await self._send(head)
        except Refused:
            made = await self._disk.do(self._made, shown, head)
            if made is None:
                raise
            await self._send(made)
            self._tried = None
            await self._disk.do(self.go_on, made)

    def _made(self, shown: CommitId | None, head: CommitId) -> CommitId | None:
        """None if it would bring nothing else, or was tried already."""
        history = self._here.history
        tree = history.tree_id(head)
        parents = [shown] if shown is not None else []
        if not history.contains(head, shown) or list(history.look_up(head).parents) == parents or tree == self._tried:
            return None
        self._tried = tree
        made = shown if shown is not None and tree == history.tree_id(shown) else self._on(parents, head, shown)
        # One object for both, so that a start after a crash knows what the remote's commit stands for.
        history.set_ref(_MARK, history.commit([head, made], tree, self._here.author, "Sent in one", 0))
        return made

    def go_on(self, shown: CommitId | None) -> None:
        """From what the remote took, if it did; the commits that it refused are kept on this machine."""
        here, history = self._here, self._here.history
        mark = history.ref(_MARK)
        if mark is None or shown is None:
            return
        refused, made = history.look_up(mark).parents
        if not history.has(shown) or not history.contains(shown, made):
            return
        if here.head and history.contains(here.head, refused) and not history.contains(shown, refused):
            history.set_ref(f"refs/refused/{here.head}", here.head)
            history.set_head(here.branch, made if here.head == refused else self._on([made], here.head, made))
        history.drop_ref(_MARK)

    def _on(self, parents: list[CommitId], head: CommitId, before: CommitId | None) -> CommitId:
        history = self._here.history
        message = words.message(dict(history.changes(before, head)))
        return history.commit(parents, history.tree_id(head), self._here.author, message)
