"""What random stories found, each told again in the smallest way."""

from syncd.core.entry import BlobId, Change, Entry, Mode, RelPath
from syncd.merge.similar import find_moves

_TEXT = b"".join(b"a line %d that all labs have\n" % n for n in range(12))


def test_seed_205_a_deleted_sibling_is_not_taken_for_the_renamed_one() -> None:
    """A student edited lab2; the instructor deleted lab2 and renamed and edited lab1, which is much like it."""
    before = {"lab1": _TEXT + b"one\nfirst\n", "lab2": _TEXT + b"two\nsecond\n"}
    after = {"3lab1": _TEXT + b"one\nfirst\nedited\n"}
    gone = {RelPath(name): Change(_entry(name), None) for name in before}
    changes = {**gone, RelPath("3lab1"): Change(None, _entry("3lab1"))}

    def moves(mine: str) -> dict[str, str]:
        return dict(find_moves(changes, before.get, after.get, lambda old: old == mine))

    assert moves("lab1") == {"3lab1": "lab1"}
    assert moves("lab2") == {}


def _entry(name: str) -> Entry:
    return Entry(BlobId(name.rjust(40, "0")), Mode.FILE)
