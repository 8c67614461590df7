"""MERGE_SPEC's S cases, told through real files in both kinds of folder."""

import json
import os
from pathlib import Path

import pytest
from classroom import NOON, File, Student, link, program

from syncd.agent.update import State
from syncd.core.entry import Mode, RelPath
from syncd.core.errors import NeedsUser

LINES = b"one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
STAMP = f"{NOON:%Y-%m-%d %H%M}"
THEIRS = f"instructor's version {STAMP}"
MINE = f"my copy {STAMP}"


def notebook(*cells: str) -> bytes:
    made = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": [],
            "source": source.splitlines(keepends=True),
        }
        for number, source in enumerate(cells)
    ]
    whole = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1).encode() + b"\n"


def test_a_first_update_gives_the_whole_course(student: Student) -> None:
    tree = {
        "README.md": b"hello\n",
        "lab/run.sh": program(b"#!/bin/sh\n"),
        "lab/deep/data.csv": b"1,2\n",
        "empty": b"",
        "current": link("lab/deep"),
    }
    report = student.update(tree)
    assert report.state is State.UP_TO_DATE and report.changed == 5
    assert student.files() == {path: File(what) if isinstance(what, bytes) else what for path, what in tree.items()}


def test_s1_untouched_file_shows_the_instructors_change_at_once(student: Student) -> None:
    student.update({"a": b"x", "b": b"b"})
    report = student.update({"a": b"y", "b": b"b", "c/new": b"n"})
    assert (student.read("a"), student.read("c/new"), report.waiting) == (b"y", b"n", ())


def test_s1_a_reader_that_has_the_file_open_reads_the_old_content_to_the_end(student: Student) -> None:
    student.update({"a": b"x" * 100_000})
    with open(student.path("a"), "rb") as reader:
        first = reader.read(10)
        student.update({"a": b"y" * 100_000})
        assert first + reader.read() == b"x" * 100_000
    assert student.read("a") == b"y" * 100_000


def test_s1_mode_alone_and_kind_alone_change(student: Student) -> None:
    student.update({"a": b"x", "b": b"target", "c": link("a")})
    student.update({"a": program(b"x"), "b": link("target"), "c": b"a"})
    assert student.files() == {"a": program(b"x"), "b": link("target"), "c": File(b"a")}


def test_s2_edited_file_stays_while_others_change(student: Student) -> None:
    student.update({"a": LINES, "b": b"1"})
    student.write("a", b"mine\n")
    student.update({"a": LINES, "b": b"2"})
    assert (student.read("a"), student.read("b")) == (b"mine\n", b"2")


def test_s3_text_edited_on_both_sides_holds_both(student: Student) -> None:
    student.update({"a.txt": LINES})
    student.write("a.txt", LINES.replace(b"two", b"TWO by me"))
    report = student.update({"a.txt": LINES.replace(b"six", b"SIX by them")})
    assert student.read("a.txt") == LINES.replace(b"two", b"TWO by me").replace(b"six", b"SIX by them")
    assert [note.case for note in report.notes] == ["S3"] and "a.txt" in report.notes[0].sentence


def test_s3_notebook_edited_in_different_cells_holds_both(student: Student) -> None:
    student.update({"lab01.ipynb": notebook("a = ...", "b = ...", "c = 1")})
    student.write("lab01.ipynb", notebook("a = 42", "b = ...", "c = 1"))
    student.update({"lab01.ipynb": notebook("a = ...", "b = ...", "c = 2 # fixed")})
    cells = json.loads(student.read("lab01.ipynb"))["cells"]
    assert ["".join(cell["source"]) for cell in cells] == ["a = 42", "b = ...", "c = 2 # fixed"]


def test_s3_a_merged_file_merges_again_with_the_next_commit(student: Student) -> None:
    student.update({"a.txt": LINES})
    student.write("a.txt", LINES.replace(b"two", b"mine"))
    second = LINES.replace(b"six", b"SIX")
    student.update({"a.txt": second})
    student.update({"a.txt": second.replace(b"four", b"FOUR")})
    assert student.read("a.txt") == second.replace(b"four", b"FOUR").replace(b"two", b"mine")


def test_s4_the_same_line_keeps_mine_and_puts_theirs_beside(student: Student) -> None:
    student.update({"a.txt": LINES})
    student.write("a.txt", LINES.replace(b"two", b"mine"))
    theirs = LINES.replace(b"two", b"theirs").replace(b"seven", b"SEVEN")
    report = student.update({"a.txt": theirs})
    assert student.read("a.txt") == LINES.replace(b"two", b"mine").replace(b"seven", b"SEVEN")
    assert student.read(f"a ({THEIRS}).txt") == theirs
    assert [note.case for note in report.notes] == ["S4"]
    assert report.notes[0].beside == f"a ({THEIRS}).txt"


def test_s4_the_same_version_is_put_beside_once(student: Student) -> None:
    student.update({"a.txt": LINES})
    student.write("a.txt", LINES.replace(b"two", b"mine"))
    theirs = LINES.replace(b"two", b"theirs")
    student.update({"a.txt": theirs})
    student.update({"a.txt": LINES})
    beside = sorted(student.files())
    student.update({"a.txt": theirs})
    assert sorted(student.files()) == beside == [f"a ({THEIRS}) 2.txt", f"a ({THEIRS}).txt", "a.txt"]


def test_s5_binary_keeps_mine_and_puts_theirs_beside(student: Student) -> None:
    student.update({"plot.png": b"\x89PNG\0\0base"})
    student.write("plot.png", b"\x89PNG\0\0mine")
    student.update({"plot.png": b"\x89PNG\0\0theirs"})
    assert student.read("plot.png") == b"\x89PNG\0\0mine"
    assert student.read(f"plot ({THEIRS}).png") == b"\x89PNG\0\0theirs"


def test_s6_edited_file_stays_when_the_instructor_deletes_it(student: Student) -> None:
    student.update({"lab/a": b"x", "b": b"b"})
    student.write("lab/a", b"mine")
    student.update({"b": b"b"})
    assert student.read("lab/a") == b"mine"


def test_s7_untouched_file_goes_and_its_empty_folder_too(student: Student) -> None:
    student.update({"lab/deep/a": b"x", "other/b": b"b"})
    student.write("other/mine", b"mine")
    student.update({"c": b"c"})
    assert student.files() == {"c": File(b"c"), "other/mine": File(b"mine")}
    assert not student.has("lab")


def test_s8_deleted_file_stays_deleted_until_restored(student: Student) -> None:
    student.update({"a": b"x", "lab/b": b"b"})
    student.delete("lab/b")
    student.update({"a": b"y", "lab/b": b"b"})
    assert not student.has("lab/b")
    assert student.restore("lab/b") == ("lab/b",)
    assert student.read("lab/b") == b"b"


def test_s8_restoring_a_folder_keeps_what_it_replaces(student: Student) -> None:
    student.update({"lab/a": b"x", "lab/b": b"b", "c": b"c"})
    student.write("lab/a", b"my answer")
    student.delete("lab/b")
    student.write("lab/own", b"own")
    student.write("c", b"my c")
    assert student.restore("lab") == ("lab/a", "lab/b")
    assert student.files() == {
        "lab/a": File(b"x"),
        "lab/b": File(b"b"),
        "lab/own": File(b"own"),
        "c": File(b"my c"),
    }
    (kept,) = student.versions.list(RelPath("lab/a"))
    assert student.versions.read(kept.id) == b"my answer"
    assert student.restore("lab") == ()


def test_s8_everything_can_be_restored_over_files_in_the_way(student: Student) -> None:
    student.update({"lab/a": b"x", "b": b"b"})
    student.delete("lab/a")
    student.path("lab").rmdir()
    student.write("lab", b"a file of mine")
    student.delete("b")
    student.write("b/mine", b"mine")
    student.restore(None)
    assert student.files() == {
        "lab/a": File(b"x"),
        "b": File(b"b"),
        f"lab ({MINE})": File(b"a file of mine"),
        f"b ({MINE})/mine": File(b"mine"),
    }


def test_s9_deleted_file_comes_back_when_the_instructor_edits_it(student: Student) -> None:
    student.update({"lab/a": b"x"})
    student.delete("lab/a")
    student.path("lab").rmdir()
    report = student.update({"lab/a": b"y"})
    assert student.read("lab/a") == b"y"
    assert [note.case for note in report.notes] == ["S9"]


def test_s10_deleted_on_both_sides_is_gone(student: Student) -> None:
    student.update({"a": b"x", "b": b"b"})
    student.delete("a")
    student.update({"b": b"b"})
    assert sorted(student.files()) == ["b"]
    student.update({"a": b"again", "b": b"b"})
    assert student.read("a") == b"again"


def test_s11_created_alike_is_one_file(student: Student) -> None:
    student.update({"b": b"b"})
    student.write("lab/a", b"same")
    student.update({"b": b"b", "lab/a": b"same"})
    assert sorted(student.files()) == ["b", "lab/a"]
    student.update({"b": b"b", "lab/a": b"next"})
    assert student.read("lab/a") == b"next"


def test_s12_created_differently_gives_theirs_the_name(student: Student) -> None:
    student.update({"b": b"b"})
    student.write("lab/a.py", b"mine")
    student.update({"b": b"b", "lab/a.py": b"theirs"})
    assert student.read("lab/a.py") == b"theirs"
    assert student.read(f"lab/a ({MINE}).py") == b"mine"


def test_s12_a_folder_that_was_not_empty_keeps_its_files(student: Student) -> None:
    student.write("notes.md", b"my notes")
    student.write("README.md", b"my readme")
    if student.view.kind == "overlay":  # nothing can be mounted over files: they would be hidden
        with pytest.raises(NeedsUser, match="not empty"):
            student.update({"README.md": b"the course"})
        assert student.files() == {"notes.md": File(b"my notes"), "README.md": File(b"my readme")}
        return
    student.update({"README.md": b"the course", "lab/a": b"x"})
    assert student.files() == {
        "notes.md": File(b"my notes"),
        "README.md": File(b"the course"),
        f"README ({MINE}).md": File(b"my readme"),
        "lab/a": File(b"x"),
    }


def test_s13_my_file_gives_way_to_their_folder(student: Student) -> None:
    student.update({"b": b"b"})
    student.write("lab", b"mine")
    student.update({"b": b"b", "lab/deep/a": b"theirs"})
    assert student.read("lab/deep/a") == b"theirs"
    assert student.read(f"lab ({MINE})") == b"mine"


def test_s13_my_folder_gives_way_to_their_file_and_stays_whole(student: Student) -> None:
    student.update({"b": b"b"})
    student.write("lab/one", b"1")
    student.write("lab/deep/two", b"2")
    student.update({"b": b"b", "lab": b"theirs"})
    assert student.read("lab") == b"theirs"
    assert student.read(f"lab ({MINE})/one") == b"1"
    assert student.read(f"lab ({MINE})/deep/two") == b"2"


def test_s13_edited_files_of_a_folder_that_becomes_a_file_go_beside(student: Student) -> None:
    student.update({"lab/a": b"x", "lab/b": b"y"})
    student.write("lab/a", b"mine")
    student.update({"lab": b"a file now"})
    assert student.files() == {"lab": File(b"a file now"), f"lab ({MINE})/a": File(b"mine")}


def test_s13_edited_file_that_becomes_a_folder_goes_beside(student: Student) -> None:
    student.update({"lab": b"x"})
    student.write("lab", b"mine")
    student.update({"lab/a": b"a"})
    assert student.files() == {"lab/a": File(b"a"), f"lab ({MINE})": File(b"mine")}


def test_s13_an_empty_folder_of_mine_is_no_obstacle(student: Student) -> None:
    student.update({"b": b"b"})
    student.path("lab").mkdir()
    student.update({"b": b"b", "lab": b"theirs"})
    assert student.read("lab") == b"theirs"


def test_s13_empty_folders_of_mine_however_deep_are_no_obstacle(student: Student) -> None:
    student.update({"a": b"x", "b/c/d": b"y"})
    student.delete("a")
    student.path("a/deep").mkdir(parents=True)
    student.delete("b/c/d")
    student.update({"a": b"2", "b": b"a file"})
    assert student.files() == {"a": File(b"2"), "b": File(b"a file")}
    student.delete("a")
    student.path("a/deep").mkdir(parents=True)
    student.restore("a")
    assert student.read("a") == b"2"


def test_s13_untouched_file_and_folder_change_places(student: Student) -> None:
    student.update({"a": b"x", "b/c": b"y"})
    student.update({"a/d": b"x", "b": b"y"})
    assert student.files() == {"a/d": File(b"x"), "b": File(b"y")}


def test_s18_mode_is_mine_and_content_theirs(student: Student) -> None:
    student.update({"run.sh": b"echo 1\n"})
    student.path("run.sh").chmod(0o755)
    student.update({"run.sh": b"echo 2\n"})
    assert student.files() == {"run.sh": program(b"echo 2\n")}


def test_s18_a_link_against_a_file_keeps_mine_and_puts_theirs_beside(student: Student) -> None:
    student.update({"data": b"x", "else": b"e"})
    student.delete("data")
    os.symlink("else", student.path("data"))
    student.update({"data": b"y", "else": b"e"})
    assert student.files() == {"data": link("else"), "else": File(b"e"), f"data ({THEIRS})": File(b"y")}


def test_s19_a_file_saved_just_now_waits_and_untouched_ones_do_not(students) -> None:
    student = students(quiet_s=3600.0)
    student.update({"a.txt": LINES, "b": b"b"})
    student.write("a.txt", LINES.replace(b"two", b"mine"))
    report = student.update({"a.txt": LINES.replace(b"six", b"SIX"), "b": b"2"})
    assert report.waiting == ("a.txt",) and report.state is State.WAITING and "a.txt" in report.sentence
    assert student.read("a.txt") == LINES.replace(b"two", b"mine")
    assert student.read("b") == b"2"

    report = student.update({"a.txt": LINES.replace(b"six", b"6"), "b": b"3"})
    assert report.waiting == ("a.txt",)
    student.reopen()
    assert list(student.view.waiting) == ["a.txt"]

    report = student.update(update_now=True)
    assert report.waiting == () and report.state is State.UP_TO_DATE
    assert student.read("a.txt") == LINES.replace(b"two", b"mine").replace(b"six", b"6")


def test_s19_a_file_that_waits_is_taken_up_when_its_quiet_time_is_over(students) -> None:
    student = students(quiet_s=3600.0)
    student.update({"a.txt": LINES})
    student.write("a.txt", LINES.replace(b"two", b"mine"))
    student.update({"a.txt": LINES.replace(b"six", b"SIX")})
    os.utime(student.path("a.txt"))
    student.view.close()
    later = students(quiet_s=0.0)
    report = later.update()
    assert report.waiting == ()
    assert later.read("a.txt") == LINES.replace(b"two", b"mine").replace(b"six", b"SIX")


def test_s19_a_file_open_for_writing_waits_until_it_is_closed(student: Student) -> None:
    student.update({"a.txt": LINES})
    with open(student.path("a.txt"), "r+b") as editor:
        editor.write(b"ONE")
        editor.flush()
        report = student.update({"a.txt": LINES.replace(b"six", b"SIX")})
        assert report.waiting == ("a.txt",)
        editor.seek(4)
        editor.write(b"TWO")
    report = student.update()
    assert report.waiting == ()
    assert student.read("a.txt") == b"ONE\nTWO\nthree\nfour\nfive\nSIX\nseven\n"


def test_s19_a_waiting_file_that_the_student_takes_back_follows_at_once(students) -> None:
    student = students(quiet_s=3600.0)
    student.update({"a.txt": LINES})
    student.write("a.txt", b"mine")
    student.update({"a.txt": LINES + b"eight\n"})
    student.write("a.txt", LINES)
    report = student.update()
    assert report.waiting == ()
    assert student.read("a.txt") == LINES + b"eight\n"


def test_s19_a_folder_with_a_busy_file_gives_way_when_it_is_quiet(students) -> None:
    student = students(quiet_s=3600.0)
    student.update({"lab/a": b"x", "b": b"b"})
    student.write("lab/a", b"mine")
    report = student.update({"lab": b"a file now", "b": b"b"})
    assert "lab/a" in report.waiting and student.read("lab/a") == b"mine"
    report = student.update(update_now=True)
    assert report.waiting == ()
    assert student.files() == {"lab": File(b"a file now"), f"lab ({MINE})/a": File(b"mine"), "b": File(b"b")}


def test_s20_a_rewritten_history_is_one_big_edit(student: Student) -> None:
    student.update({"a.txt": LINES, "b": b"b", "c": b"c"})
    student.write("a.txt", LINES.replace(b"two", b"mine"))
    student.update({"a.txt": LINES.replace(b"seven", b"7"), "d": b"d", "c": b"other"})
    assert student.files() == {
        "a.txt": File(LINES.replace(b"two", b"mine").replace(b"seven", b"7")),
        "d": File(b"d"),
        "c": File(b"other"),
    }


def test_s21_a_commit_without_files_takes_nothing(student: Student) -> None:
    student.update({"a": b"x", "b": b"b"})
    student.write("a", b"mine")
    base = student.view.base
    report = student.update({})
    assert report.state is State.NEEDS_YOU and "no files" in report.sentence
    assert student.view.base == base
    assert student.files() == {"a": File(b"mine"), "b": File(b"b")}
    student.update({"a": b"x", "b": b"2"})
    assert student.files() == {"a": File(b"mine"), "b": File(b"2")}


def test_a_folder_opened_again_is_as_it_was(student: Student) -> None:
    student.update({"a": b"x", "b": b"b"})
    student.write("a", b"mine")
    student.delete("b")
    student.reopen()
    assert {path: mine.change.now is None for path, mine in student.view.observe().items()} == {"a": False, "b": True}
    student.update({"a": b"x", "b": b"b", "c": b"c"})
    assert student.files() == {"a": File(b"mine"), "c": File(b"c")}


@pytest.mark.parametrize("name", ["ä ö ü", "new\nline", "\udcff not utf-8", "x" * 255, "-rf", "con"])
def test_any_name_works(student: Student, name: str) -> None:
    student.update({name: b"x", f"in/{name}": b"x"})
    student.write(f"in/{name}", b"x\nmine")
    student.update({name: b"y", f"in/{name}": b"x"})
    assert student.files() == {name: File(b"y"), f"in/{name}": File(b"x\nmine")}


def test_nothing_is_written_through_a_link_that_the_student_made(student: Student, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_bytes(b"x")
    student.update({"lab/a": b"x", "b": b"b"})
    student.delete("lab/a")
    student.path("lab").rmdir()
    os.symlink(outside, student.path("lab"))
    student.update({"lab/a": b"theirs", "b": b"b"})
    assert (outside / "a").read_bytes() == b"x"
    assert student.read("lab/a") == b"theirs"
    assert student.files()[f"lab ({MINE})"].mode is Mode.SYMLINK
