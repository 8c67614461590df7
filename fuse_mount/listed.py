"""Lower files that the kernel knows from a listing and that nobody has asked for, in a few bytes each.

After a walk through a course these are nearly all that is held.  A number of the kernel's leads to where
the file is in its lower tree, in which folder of the view it was listed, and how often: one number of 64
bits.  Both are kept in flat arrays, by open addressing; the first request makes such a file a node.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from fuse_mount.inode import Folder
from fuse_mount.lower import Lower, LowerRef

_SMALLEST = 256
_REF_AT, _PLACE_AT = 12, 40
_MOST_LOOKUPS, _MOST_REFS, _MOST_PLACES = (1 << 12) - 1, 1 << 28, 1 << 24


@dataclass(slots=True)
class Place:
    """A folder of the view, and the lower tree in which its files were listed: it may have been switched since."""

    folder: Folder
    lower: Lower
    count: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """One file that was listed."""

    folder: Folder
    lower: Lower
    ref: int
    lookups: int


class ListedFiles:
    """The table of them, by the kernel's numbers."""

    def __init__(self) -> None:
        """Empty."""
        self._numbers = FlatTable()
        self._places: list[Place | None] = []
        self._free: list[int] = []
        self._latest: dict[int, int] = {}  # a folder's number to its latest place

    def __len__(self) -> int:
        """How many files are held."""
        return len(self._numbers)

    def __contains__(self, ino: int) -> bool:
        """Whether a number is one of theirs."""
        return self._numbers.get(ino) != 0

    def add(self, ino: int, folder: Folder, lower: Lower, ref: LowerRef) -> bool:
        """Hold a file once more; False if it can't be held so, or if its number is another's."""
        if not isinstance(ref, int) or ref >= _MOST_REFS:
            return False
        value, was = self._numbers.get(ino), -1
        lookups = value & _MOST_LOOKUPS
        if value:
            was = value >> _PLACE_AT
            place = self._places[was]
            assert place is not None
            if place.folder is not folder or lookups == _MOST_LOOKUPS:
                return False
            if place.lower is lower and _ref(value) == ref:
                self._numbers.put(ino, value + 1)
                return True
        at = self._place(folder, lower)
        if at >= _MOST_PLACES:
            return False
        self._numbers.put(ino, at << _PLACE_AT | ref << _REF_AT | lookups + 1)
        if was >= 0:
            self._leave(was)  # a number says path and content: it is the same file in a newer tree
        return True

    def take(self, ino: int) -> Listed | None:
        """Hold it here no more; what was known of it."""
        value = self._numbers.get(ino)
        if not value:
            return None
        self._numbers.remove(ino)
        place = self._leave(value >> _PLACE_AT)
        return Listed(place.folder, place.lower, _ref(value), value & _MOST_LOOKUPS)

    def _leave(self, at: int) -> Place:
        """One file less has a place; what nobody needs any more goes, and its lower tree with it."""
        place = self._places[at]
        assert place is not None
        place.count -= 1
        if not place.count:
            self._places[at] = None
            self._free.append(at)
            if self._latest.get(place.folder.ino) == at:
                del self._latest[place.folder.ino]
        return place

    def forget(self, ino: int, count: int) -> None:
        """The kernel lets go of some look-ups."""
        value = self._numbers.get(ino)
        if not value:
            return
        if value & _MOST_LOOKUPS <= count:
            self.take(ino)
        else:
            self._numbers.put(ino, value - count)

    def _place(self, folder: Folder, lower: Lower) -> int:
        at = self._latest.get(folder.ino, -1)
        place = self._places[at] if at >= 0 else None
        if place is None or place.folder is not folder or place.lower is not lower:
            place = Place(folder, lower)
            if self._free:
                at = self._free.pop()
                self._places[at] = place
            else:
                at = len(self._places)
                self._places.append(place)
            self._latest[folder.ino] = at
        place.count += 1
        return at


def _ref(value: int) -> int:
    return value >> _REF_AT & _MOST_REFS - 1


class FlatTable:
    """Numbers by numbers, of 64 bits each and none of them 0; the keys must be as good as random in their low bits."""

    def __init__(self) -> None:
        """Empty."""
        self._make(_SMALLEST)

    def __len__(self) -> int:
        """How many there are."""
        return self._used

    def __iter__(self) -> Iterator[int]:
        """All keys, in no order."""
        return filter(None, self._keys)

    def get(self, key: int) -> int:
        """A key's value; 0 if there is none."""
        return int(self._values[self._slot(key)])

    def put(self, key: int, value: int) -> None:
        """Set a key's value."""
        at = self._slot(key)
        if not self._keys[at]:
            if 4 * self._used >= 3 * len(self._keys):
                self._resize(2 * len(self._keys))
                at = self._slot(key)
            self._keys[at] = key
            self._used += 1
        self._values[at] = value

    def remove(self, key: int) -> None:
        """Take a key away, if it is there; whatever it had pushed on moves up."""
        at = self._slot(key)
        keys, values, mask = self._keys, self._values, self._mask
        if not keys[at]:
            return
        self._used -= 1
        after = at
        while keys[after := after + 1 & mask]:
            if after - keys[after] & mask >= after - at & mask:
                keys[at], values[at] = keys[after], values[after]
                at = after
        keys[at] = values[at] = 0
        if 8 * self._used < len(keys) > _SMALLEST:
            self._resize(len(keys) // 2)

    def _slot(self, key: int) -> int:
        keys, mask = self._keys, self._mask
        at = key & mask
        while keys[at] and keys[at] != key:
            at = at + 1 & mask
        return at

    def _resize(self, size: int) -> None:
        known = [(key, value) for key, value in zip(self._keys, self._values, strict=True) if key]
        self._make(size)
        for key, value in known:
            self.put(key, value)

    def _make(self, size: int) -> None:
        self._keys, self._values = array("Q", bytes(8 * size)), array("Q", bytes(8 * size))
        self._mask, self._used = size - 1, 0
