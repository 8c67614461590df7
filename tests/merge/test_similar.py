"""Files that were renamed and edited are recognised."""

import pytest

from syncd.core.entry import BlobId, Change, Entry, Mode, RelPath
from syncd.merge.similar import find_moves, likeness

TEXT = b"".join(b"line %d of the text\n" % n for n in range(20))


@pytest.mark.parametrize(
    ("other", "least", "most"),
    [
        (TEXT, 1.0, 1.0),
        (TEXT.replace(b"line 3 ", b"row 3 "), 0.9, 0.99),
        (b"quite another\n" * 30, 0.0, 0.0),
        (b"", 0.0, 0.0),
        (TEXT * 30, 0.0, 0.0),
    ],
)
def test_likeness_is_the_share_of_common_lines(other: bytes, least: float, most: float) -> None:
    assert least <= likeness(TEXT, other) <= most
    assert likeness(TEXT, other) == likeness(other, TEXT)


def changed(**paths: tuple[str | None, str | None]) -> dict[RelPath, Change]:
    def entry(name: str | None) -> Entry | None:
        return Entry(BlobId(name), Mode.FILE) if name else None

    return {RelPath(path): Change(entry(was), entry(now)) for path, (was, now) in paths.items()}


def test_a_renamed_and_edited_file_is_found_where_it_is_wanted() -> None:
    changes = changed(a=("1", None), b=(None, "2"), c=(None, "3"))
    contents = {"a": TEXT, "b": TEXT + b"more\n", "c": b"else\n"}
    read = lambda path: contents[path]  # noqa: E731
    assert find_moves(changes, read, read, lambda old: True) == {"b": "a"}
    assert find_moves(changes, read, read, lambda old: False) == {}


def test_the_same_content_needs_no_reading() -> None:
    changes = changed(a=("1", None), b=(None, "1"))

    def never(path: RelPath) -> bytes | None:
        raise AssertionError(path)

    assert find_moves(changes, never, never, lambda old: True) == {"b": "a"}
