"""Names of what is put beside a file."""

import os
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.beside import INSTRUCTORS_VERSION, MY_COPY, beside, conflicted_copy, is_beside, may_be_shortened
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


@pytest.mark.parametrize("name", ["f.md", "x" * 240 + ".solution.py", "a." + "x" * 250, "é" * 127])
@pytest.mark.parametrize("whose", ["x" * 300, "é" * 200])
def test_however_long_a_persons_name_a_file_can_be_put_beside(name: str, whose: str) -> None:
    label = conflicted_copy(whose)
    found = beside(RelPath(name), label, WHEN, ())
    assert len(os.fsencode(found)) <= 255 and is_beside(found, RelPath(name), label)


@given(st.text(min_size=1, max_size=120).filter(lambda name: "/" not in name), st.sampled_from([".py", "", ".tar.gz"]))
def test_a_name_of_which_something_was_cut_off_can_be_told(stem: str, extension: str) -> None:
    label = conflicted_copy("Ada (TA)")
    found = beside(RelPath(stem + extension), label, WHEN, ())
    assert may_be_shortened(found) or found.replace(f" ({label} 2026-11-22 1403)", "") == stem + extension
