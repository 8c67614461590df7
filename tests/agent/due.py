"""A plain folder in which every kind of move is due, for tests that kill and race."""

from pathlib import Path

from classroom import NOON, Course, Student, shown

from syncd.agent import plain
from syncd.agent.update import Report, bring_up_to_date
from syncd.blobs import Snapshot
from syncd.versions import Versions

LINES = b"one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
BEFORE = {
    "s1": b"x",
    "s3.txt": LINES,
    "s4.txt": LINES,
    "s5.bin": b"\0base",
    "s7/deep/gone": b"x",
    "s9/back": b"x",
    "s13/edited": b"x",
    "s13/untouched": b"y",
    "place": b"a file",
    "s14.txt": b"alpha\nbeta\ngamma\ndelta\n",
}
AFTER = {
    "s1": b"y",
    "s1/new".replace("/", "-"): b"n",
    "s3.txt": LINES.replace(b"six", b"SIX"),
    "s4.txt": LINES.replace(b"two", b"theirs").replace(b"seven", b"SEVEN"),
    "s5.bin": b"\0theirs",
    "s9/back": b"y",
    "s12.py": b"theirs",
    "s13": b"a file now",
    "place/inside": b"a folder now",
    "renamed/s14.txt": b"alpha\nbeta\ngamma\nDELTA\n",
}


def prepared(where: Path, course: Course) -> None:
    """A student's folder in which every kind of move is due."""
    student = Student(course, lambda: opened(where, course), Versions(where / "versions"))
    student.update(BEFORE)
    student.write("s3.txt", LINES.replace(b"two", b"MINE"))
    student.write("s4.txt", LINES.replace(b"two", b"mine"))
    student.write("s5.bin", b"\0mine")
    student.write("s14.txt", b"ALPHA by me\nbeta\ngamma\ndelta\n")
    student.delete("s9/back")
    student.write("s12.py", b"my own")
    student.write("s13/edited", b"edited by me")
    student.write("s13/own", b"own")
    student.view.close()


def opened(where: Path, course: Course) -> plain.PlainView:
    return plain.PlainView(where / "folder", where / "state", course.snapshot, 0.0)


def update(where: Path, course: Course, snapshot: Snapshot) -> Report:
    view = opened(where, course)
    try:
        return bring_up_to_date(view, snapshot, course.snapshot, Versions(where / "versions"), lambda: NOON)
    finally:
        view.close()


def everything(where: Path) -> set[bytes]:
    versions = Versions(where / "versions")
    kept = {versions.read(version.id) for version in versions.list()}
    return kept | {file.content for file in shown(where / "folder").values()}
