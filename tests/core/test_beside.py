"""Names of what is put beside a file."""

import os
from datetime import datetime

import pytest

from syncd.core.beside import INSTRUCTORS_VERSION, MY_COPY, beside, conflicted_copy, is_beside
from syncd.core.entry import RelPath

WHEN = datetime(2026, 11, 22, 14, 3)


@pytest.mark.parametrize(
    ("path", "label", "expected"),
    [
        ("lab01.ipynb", INSTRUCTORS_VERSION, "lab01 (instructor's version 2026-11-22 1403).ipynb"),
        ("a/lab01.ipynb", MY_COPY, "a/lab01 (my copy 2026-11-22 1403).ipynb"),
        ("notes.md", conflicted_copy("Ada"), "notes (conflicted copy, Ada, 2026-11-22 1403).md"),
        (".bashrc", MY_COPY, ".bashrc (my copy 2026-11-22 1403)"),
    ],
)
def test_name_says_whose_and_when_before_the_extension(path: str, label: str, expected: str) -> None:
    assert beside(RelPath(path), label, WHEN, ()) == expected


def test_a_folder_has_no_extension() -> None:
    assert beside(RelPath("a.b"), MY_COPY, WHEN, (), folder=True) == "a.b (my copy 2026-11-22 1403)"


def test_taken_names_are_numbered() -> None:
    taken = {"f (my copy 2026-11-22 1403).md", "f (my copy 2026-11-22 1403) 2.md"}
    assert beside(RelPath("f.md"), MY_COPY, WHEN, taken) == "f (my copy 2026-11-22 1403) 3.md"


def test_windows_could_hold_the_name_whoever_it_is() -> None:
    name = beside(RelPath("f.md"), conflicted_copy('A/B\\C:"<>|?*\n'), WHEN, ())
    assert name == "f (conflicted copy, ABC, 2026-11-22 1403).md"


@pytest.mark.parametrize("letter", ["x", "é", "\udcff"])
def test_a_long_name_stays_within_255_bytes(letter: str) -> None:
    path = RelPath(letter * (250 // len(os.fsencode(letter))) + ".ipynb")
    name = beside(path, INSTRUCTORS_VERSION, WHEN, ())
    assert len(os.fsencode(name)) <= 255
    assert is_beside(name, path, INSTRUCTORS_VERSION)
