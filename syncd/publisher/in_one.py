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
            await self._disk.do(self._go_on, head, made)

    def _made(self, shown: CommitId | None, head: CommitId) -> CommitId | None:
        """None if it would bring nothing else, or was tried already."""
        history = self._here.history
        tree = history.tree_id(head)
        parents = [shown] if shown is not None else []
        if not history.contains(head, shown) or list(history.look_up(head).parents) == parents or tree == self._tried:
            return None
        self._tried = tree
        if shown is not None and tree == history.tree_id(shown):
            return shown
        return history.commit(parents, tree, self._here.author, words.message(dict(history.changes(shown, head))))

    def _go_on(self, head: CommitId, made: CommitId) -> None:
        """From what the remote took; the commits that it refused are kept on this machine."""
        here = self._here
        if here.head == head:  # else the next exchange comes to it
            here.history.set_ref(f"refs/refused/{head}", head)
            here.history.set_head(here.branch, made)
