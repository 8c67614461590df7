"""The table of what is held: at whatever store its process dies, a successor reads what was true then."""

import os
from collections.abc import Callable

import pytest

from fuse_mount.held import Held
from fuse_mount.held_records import HeldFile, HeldFolder
from fuse_mount.inode import File, Folder
from fuse_mount.nodes import ROOT

Read = tuple[dict[int, HeldFolder], dict[int, HeldFile], set[int], bool]


def read(held: Held) -> Read:
    successor = Held(os.dup(held.fd))
    found = successor.folders, successor.files, successor.opened, successor.done
    successor.close()
    return found


class Watched:
    """The table's words; after each store somebody looks."""

    def __init__(self, held: Held) -> None:
        self._words, self._held = held._words, held
        self.seen: list[Read] = []

    def __getitem__(self, at: int) -> int:
        return self._words[at]

    def __setitem__(self, at: int, value: int) -> None:
        self._words[at] = value
        self.seen.append(read(self._held))


top = Folder(ROOT, None, b"", True)
lab = Folder(2, top, b"lab", True)


def opened(ino: int, opens: int) -> File:
    node = File(ino, lab, b"f%d" % ino, None, ino)
    node.opens = opens
    return node


def under_way(held: Held) -> None:
    """One file is open; a request opens another, and that one once more."""
    held.folder(lab)
    held.file(opened(3, 1))
    held.begins(1)
    held.ends()
    held.begins(2)
    held.file(opened(4, 1))
    held.count(opened(3, 2))


def seen_while(held: Held, act: Callable[[], None]) -> list[Read]:
    watched = held._words = Watched(held)  # type: ignore[assignment]
    act()
    held._words = watched._words
    return watched.seen


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_a_rewrite_counts_whole_or_not_at_all(times: int) -> None:
    held = Held()
    under_way(held)
    before = read(held)
    assert before[2] == {3, 4} and not before[3]
    for _ in range(times):
        # The log goes behind itself, and then to the front again.
        seen = seen_while(held, lambda: held.rewrite([lab], [opened(3, 2), opened(4, 1)], {3, 4}))
        assert len(seen) > 3 and all(each == before for each in seen)


def test_what_a_successor_closes_again_was_not_opened() -> None:
    held = Held()
    under_way(held)
    held.rewrite([lab], [opened(3, 2), opened(4, 1)], {3, 4})
    held.count(opened(3, 1))
    held.drop(4)
    assert read(held)[2] == set()
    held.file(opened(4, 1))
    assert read(held)[2] == {4}


@pytest.mark.parametrize("left", [0, 1])
def test_a_handle_that_was_closed_is_known_to_be(left: int) -> None:
    held = Held()
    held.file(opened(3, left + 1))
    held.begins(1)
    assert not Held(os.dup(held.fd)).closed
    held.count(opened(3, left))
    assert Held(os.dup(held.fd)).closed


def test_the_next_request_opened_nothing_of_the_one_before() -> None:
    held = Held()
    under_way(held)
    held.rewrite([lab], [opened(3, 2), opened(4, 1)], {3, 4})
    held.ends()
    assert read(held)[3]
    held.begins(3)
    assert read(held)[2:] == (set(), False)


def test_what_failed_is_not_under_way_any_more() -> None:
    held = Held()
    under_way(held)
    held.fails()
    assert held.doing == 0


def test_something_else_is_not_read_as_a_table() -> None:
    other = os.memfd_create("other")
    os.ftruncate(other, 1 << 16)
    with pytest.raises(ValueError, match="not a table"):
        Held(other)
    os.close(other)
