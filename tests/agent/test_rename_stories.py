"""S14 to S17: files that either side renamed, through both kinds of folder."""

from classroom import NOON, File, Student

from syncd.agent.update import State

LINES = b"".join(b"line %d of the notes\n" % number for number in range(12))
MINE = LINES.replace(b"line 2 ", b"my line 2 ")
THEIRS = LINES.replace(b"line 9 ", b"their line 9 ")
BOTH = MINE.replace(b"line 9 ", b"their line 9 ")
BESIDE = f"(instructor's version {NOON:%Y-%m-%d %H%M})"


def test_s14_my_edit_follows_their_rename(student: Student) -> None:
    student.update({"a.md": LINES, "b": b"1"})
    student.write("a.md", MINE)
    report = student.update({"n.md": LINES, "b": b"1"}, touched_as=["n.md"])
    assert {path: file.content for path, file in student.files().items()} == {"n.md": MINE, "b": b"1"}
    assert report.state is State.UP_TO_DATE


def test_s14_my_edit_and_theirs_meet_under_their_new_name(student: Student) -> None:
    student.update({"a.md": LINES})
    student.write("a.md", MINE)
    student.update({"sub/n.md": THEIRS}, touched_as=["sub/n.md"])
    assert {path: file.content for path, file in student.files().items()} == {"sub/n.md": BOTH}
    student.update({"sub/n.md": THEIRS + b"more\n"})
    assert student.read("sub/n.md") == BOTH + b"more\n"


def test_s14_a_clash_leaves_mine_under_the_new_name_and_theirs_beside(student: Student) -> None:
    student.update({"a.md": LINES})
    student.write("a.md", MINE)
    student.update({"n.md": LINES.replace(b"line 2 ", b"their line 2 ")}, touched_as=["n.md"])
    assert set(student.files()) == {"n.md", f"n {BESIDE}.md"}
    assert student.read("n.md") == MINE


def test_s14_an_untouched_file_is_simply_renamed(student: Student) -> None:
    student.update({"a.md": LINES})
    student.update({"n.md": THEIRS})
    assert {path: file.content for path, file in student.files().items()} == {"n.md": THEIRS}


def test_s15_their_edit_comes_to_the_name_i_gave(student: Student) -> None:
    student.update({"a.md": LINES, "b": b"1"})
    student.path("a.md").rename(student.path("m.md"))
    student.update({"a.md": THEIRS, "b": b"2"})
    assert {path: file.content for path, file in student.files().items()} == {"m.md": THEIRS, "b": b"2"}
    student.update({"a.md": THEIRS + b"more\n", "b": b"2"})
    assert {path: file.content for path, file in student.files().items()} == {"m.md": THEIRS + b"more\n", "b": b"2"}


def test_s15_renamed_and_edited_meets_their_edit(student: Student) -> None:
    student.update({"a.md": LINES})
    student.path("a.md").rename(student.path("m.md"))
    student.write("m.md", MINE)
    student.update({"a.md": THEIRS})
    assert {path: file.content for path, file in student.files().items()} == {"m.md": BOTH}


def test_s15_a_folder_that_i_renamed_gets_their_edits(student: Student) -> None:
    student.update({"d/a.md": LINES, "d/b.md": b"b\n" * 9, "c": b"1"})
    student.path("d").rename(student.path("mine"))
    student.write("mine/a.md", MINE)
    student.update({"d/a.md": THEIRS, "d/b.md": b"b\n" * 9 + b"new\n", "c": b"1"})
    held = {path: file.content for path, file in student.files().items()}
    assert held == {"mine/a.md": BOTH, "mine/b.md": b"b\n" * 9 + b"new\n", "c": b"1"}


def test_s15_a_file_that_i_renamed_stays_mine_when_they_delete_it(student: Student) -> None:
    student.update({"a.md": LINES, "b": b"1"})
    student.path("a.md").rename(student.path("m.md"))
    student.update({"b": b"1"})
    assert {path: file.content for path, file in student.files().items()} == {"m.md": LINES, "b": b"1"}


def test_s16_both_renamed_my_name_wins_and_there_is_one_file(student: Student) -> None:
    student.update({"a.md": LINES})
    student.path("a.md").rename(student.path("m.md"))
    student.write("m.md", MINE)
    student.update({"n.md": THEIRS}, touched_as=["n.md"])
    assert {path: file.content for path, file in student.files().items()} == {"m.md": BOTH}
    student.update({"n.md": THEIRS + b"more\n"}, touched_as=["n.md"])
    assert {path: file.content for path, file in student.files().items()} == {"m.md": BOTH + b"more\n"}


def test_s16_both_gave_the_same_name(student: Student) -> None:
    student.update({"a.md": LINES})
    student.path("a.md").rename(student.path("n.md"))
    student.write("n.md", MINE)
    student.update({"n.md": THEIRS})
    assert {path: file.content for path, file in student.files().items()} == {"n.md": BOTH}


def test_s17_my_edits_and_my_own_files_follow_their_folder(student: Student) -> None:
    student.update({"week1/a.md": LINES, "week1/b.md": b"b\n" * 9, "c": b"1"})
    student.write("week1/a.md", MINE)
    student.write("week1/own.txt", b"my own\n")
    student.write("week1/deep/own.txt", b"my own too\n")
    student.update({"week 01/a.md": THEIRS, "week 01/b.md": b"b\n" * 9, "c": b"1"}, touched_as=["week 01/a.md"])
    held = {path: file.content for path, file in student.files().items()}
    assert held == {
        "week 01/a.md": BOTH,
        "week 01/b.md": b"b\n" * 9,
        "week 01/own.txt": b"my own\n",
        "week 01/deep/own.txt": b"my own too\n",
        "c": b"1",
    }


def test_s17_my_own_file_stays_where_the_new_name_is_taken(student: Student) -> None:
    student.update({"d/a.md": LINES})
    student.write("d/own.txt", b"my own\n")
    student.update({"e/a.md": LINES, "e/own.txt": b"theirs\n"})
    held = {path: file.content for path, file in student.files().items()}
    assert held == {"e/a.md": LINES, "e/own.txt": b"theirs\n", "d/own.txt": b"my own\n"}


def test_s19_a_file_that_is_busy_follows_their_rename_later(students) -> None:  # type: ignore[no-untyped-def]
    student = students(quiet_s=60.0)
    student.update({"a.md": LINES}, update_now=True)
    student.write("a.md", MINE)
    report = student.update({"n.md": THEIRS})
    assert report.state is State.WAITING
    assert {path: file.content for path, file in student.files().items()} == {"a.md": MINE}
    student.update(update_now=True, touched_as=["n.md"])
    assert {path: file.content for path, file in student.files().items()} == {"n.md": BOTH}


def test_s19_a_busy_file_that_both_gave_the_same_name_is_merged_later(students) -> None:  # type: ignore[no-untyped-def]
    student = students(quiet_s=60.0)
    student.update({"a.md": LINES}, update_now=True)
    student.path("a.md").rename(student.path("n.md"))
    student.write("n.md", MINE)
    assert student.update({"n.md": THEIRS}).state is State.WAITING
    assert student.read("n.md") == MINE
    student.update(update_now=True)
    assert {path: file.content for path, file in student.files().items()} == {"n.md": BOTH}


def test_s14_a_rename_into_a_folder_where_i_have_a_file_leaves_mine_and_gives_theirs(student: Student) -> None:
    student.update({"old.txt": b"1\n2\n3\n", "b": b"b"})
    student.write("old.txt", b"one\n2\n3\n")
    student.write("lab", b"a file of mine")
    student.update({"lab/new.txt": b"1\n2\n3\n", "b": b"b"}, touched_as=["lab/new.txt"])
    assert student.read("lab/new.txt") == b"1\n2\n3\n"
    assert student.read("old.txt") == b"one\n2\n3\n"
    assert b"a file of mine" in {file.content for file in student.files().values()}


def test_s14_a_rename_into_what_was_a_file_follows(student: Student) -> None:
    student.update({"lab": b"x", "old.txt": LINES})
    student.write("old.txt", MINE)
    student.update({"lab/old.txt": THEIRS}, touched_as=["lab/old.txt"])
    assert student.files() == {"lab/old.txt": File(BOTH)}


def test_s14_a_folder_that_becomes_one_of_its_files_puts_mine_beside(student: Student) -> None:
    student.update({"lab/a.txt": b"1\n2\n3\n", "b": b"b"})
    student.write("lab/a.txt", b"one\n2\n3\n")
    student.update({"lab": b"1\n2\n3\n", "b": b"b"}, touched_as=["lab"])
    assert student.read("lab") == b"1\n2\n3\n"
    assert b"one\n2\n3\n" in {file.content for file in student.files().values()}


def test_s15_my_new_name_where_they_make_a_folder_gives_way(student: Student) -> None:
    student.update({"a.txt": b"1\n2\n3\n", "b": b"b"})
    student.path("a.txt").rename(student.path("lab"))
    student.update({"a.txt": b"1\n2\nthree\n", "lab/x": b"x", "b": b"b"})
    assert student.read("lab/x") == b"x"
    assert b"1\n2\n3\n" in {file.content for file in student.files().values()}
