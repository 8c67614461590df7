"""Merges of plain text: S3-S5 by lines."""

import shutil
import subprocess
from pathlib import Path

import pytest

from syncd.core.entry import RelPath
from syncd.merge.files import LARGEST, merge_file, same_work

NOTES = RelPath("notes.md")


def merge(base: bytes, mine: bytes, theirs: bytes) -> tuple[bytes, tuple[str, ...]]:
    merged = merge_file(NOTES, base, mine, theirs)
    assert merged is not None
    again = merge_file(NOTES, base, merged.content, theirs)
    assert again is not None and again.content == merged.content
    return merged.content, merged.kept


TABLE = [
    ("edits apart", b"a\nb\nc\n", b"A\nb\nc\n", b"a\nb\nC\n", b"A\nb\nC\n"),
    ("edits next to each other", b"a\nb\nc\n", b"a\nB\nc\n", b"a\nb\nC\n", b"a\nB\nC\n"),
    ("the same edit", b"a\nb\nc\n", b"a\nx\nc\n", b"a\nx\nc\n", b"a\nx\nc\n"),
    ("theirs continues my edit", b"a\n", b"a\nb\n", b"a\nb\nc\n", b"a\nb\nc\n"),
    ("I answer at the end, they change the line before", b"q\nx\n", b"q\nx\nanswer\n", b"q\ny\n", b"q\ny\nanswer\n"),
    ("deletions apart", b"a\nb\nc\nd\n", b"b\nc\nd\n", b"a\nb\nc\n", b"b\nc\n"),
    ("no last line end here", b"a\nb", b"a\nb\nc", b"A\nb", b"A\nb\nc"),
    ("they close the last line", b"a\nb", b"A\nb", b"a\nb\n", b"A\nb\n"),
    ("I close the last line", b"a\nb", b"a\nb\n", b"A\nb", b"A\nb\n"),
    ("CRLF on all sides", b"a\r\nb\r\nc\r\n", b"A\r\nb\r\nc\r\n", b"a\r\nb\r\nC\r\n", b"A\r\nb\r\nC\r\n"),
    ("my editor wrote CRLF", b"a\nb\nc\n", b"A\r\nb\r\nc\r\n", b"a\nb\nC\n", b"A\r\nb\r\nC\r\n"),
    ("their editor wrote CRLF", b"a\nb\nc\n", b"A\nb\nc\n", b"a\r\nb\r\nC\r\n", b"A\r\nb\r\nC\r\n"),
    ("lone CR", b"a\rb\rc\r", b"A\rb\rc\r", b"a\rb\rC\r", b"A\rb\rC\r"),
    ("a lone CR inside a line", b"a\rx\nb\nc\n", b"a\rx\nb\nC\n", b"a\ry\nb\nc\n", b"a\ry\nb\nC\n"),
    ("mixed line ends", b"a\r\nb\nc\n", b"a\r\nb\nC\n", b"A\r\nb\nc\n", b"A\r\nb\nC\n"),
    ("I added a byte order mark", b"a\nb\n", b"\xef\xbb\xbfa\nB\n", b"A\nb\n", b"\xef\xbb\xbfA\nB\n"),
    ("latin-1", b"\xe4\nb\nc\n", b"\xe4\nb\n\xf6\n", b"\xfc\nb\nc\n", b"\xfc\nb\n\xf6\n"),
    ("I emptied it, they did nothing", b"a\n", b"", b"a\n", b""),
    ("a separator that only Python splits at", b"a\x0bb\nc\nd\n", b"a\x0bB\nc\nd\n", b"a\x0bb\nc\nD\n", b"a\x0bB\nc\nD\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_s03_edits_of_both_go_in(base: bytes, mine: bytes, theirs: bytes, expected: bytes) -> None:
    assert merge(base, mine, theirs) == (expected, ())


CONFLICTS = [
    ("same line", b"a\nb\nc\n", b"a\nM\nc\n", b"a\nT\nc\n", b"a\nM\nc\n", ("line 2",)),
    ("others go in", b"a\nb\nc\nd\ne\n", b"a\nM\nN\nc\nd\ne\n", b"a\nT\nc\nd\nE\n", b"a\nM\nN\nc\nd\nE\n", ("lines 2-3",)),
    ("both at the end", b"a\n", b"a\nmine\n", b"a\ntheirs\n", b"a\nmine\n", ("line 2",)),
    ("deleted here", b"a\nb\nc\n", b"a\nc\n", b"a\nT\nc\n", b"a\nc\n", ("lines deleted before line 2",)),
    ("deleted there", b"a\nb\nc\n", b"a\nM\nc\n", b"a\nc\n", b"a\nM\nc\n", ("line 2",)),
    ("no base", b"", b"mine\n", b"theirs\n", b"mine\n", ("line 1",)),
    ("one clashes, the next goes in", b"1\n2\n3\n4\n", b"1\nM\nN\n4\n", b"T\n2\nU\n4\n", b"T\nM\nN\n4\n", ("lines 2-3",)),
]  # fmt: skip
# ruff: noqa: E501


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "expected", "kept"),
    [row[1:] for row in CONFLICTS],
    ids=[row[0] for row in CONFLICTS],
)
def test_s04_the_same_lines_stay_mine_and_are_named(
    base: bytes, mine: bytes, theirs: bytes, expected: bytes, kept: tuple[str, ...]
) -> None:
    assert merge(base, mine, theirs) == (expected, kept)


def test_s05_binary_and_too_large_files_are_not_merged() -> None:
    assert merge_file(RelPath("a.png"), b"\x89PNG\0", b"\x89PNG\0m", b"\x89PNG\0t") is None
    assert merge_file(NOTES, b"a\n", b"b\n", b"c\0\n") is None
    assert merge_file(NOTES, "a\nb\n".encode("utf-16"), "A\nb\n".encode("utf-16"), "a\nB\n".encode("utf-16")) is None
    assert merge_file(NOTES, b"a\n", b"b\n", b"x" * (LARGEST + 1)) is None
    assert merge_file(RelPath("x.ipynb"), b"", b"{}", b"x" * (LARGEST + 1)) is None


def test_what_only_one_side_changed_needs_no_merge_even_if_it_is_binary() -> None:
    assert merge_file(NOTES, b"\0", b"\0", b"\0new").content == b"\0new"  # type: ignore[union-attr]
    assert merge_file(NOTES, b"\0", b"\0mine", b"\0").content == b"\0mine"  # type: ignore[union-attr]
    assert merge_file(NOTES, b"\0", b"\0same", b"\0same").content == b"\0same"  # type: ignore[union-attr]


def test_same_work_of_text_is_equality() -> None:
    assert same_work(NOTES, b"a\n", b"a\n")
    assert not same_work(NOTES, b"a\n", b"a\r\n")


def test_lines_where_git_merges_come_out_as_git_merges_them(tmp_path: Path) -> None:
    """Whatever `git merge-file` merges without conflict gives the same content here."""
    import random

    git = shutil.which("git")
    assert git
    rng = random.Random(5)
    compared = 0
    for _ in range(60):
        base = [b"line %d\n" % rng.randrange(8) for _ in range(12)]
        sides = []
        for _ in range(2):
            lines = list(base)
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(lines))
                lines[at : at + rng.randrange(2)] = [b"new %d\n" % rng.randrange(100)] * rng.randrange(3)
            sides.append(b"".join(lines))
        names = []
        for name, content in (("mine", sides[0]), ("base", b"".join(base)), ("theirs", sides[1])):
            (tmp_path / name).write_bytes(content)
            names.append(str(tmp_path / name))
        run = subprocess.run([git, "merge-file", "-p", *names], capture_output=True, check=False)
        if run.returncode == 0:
            merged = merge_file(NOTES, b"".join(base), *sides)
            assert merged is not None and merged.kept == ()
            assert merged.content == run.stdout
            compared += 1
    assert compared > 10
