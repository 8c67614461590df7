"""Which paths are for staff."""

from datetime import datetime

import pytest

from syncd.core.beside import beside, conflicted_copy
from syncd.core.entry import RelPath
from syncd.core.staff import Allowed, Staff

FILES = {"": "*.key\n/exams/\n!sample.key\n", "hw": "grading.ipynb\n", "é": "résumé.txt\n"}

TABLE = [
    ("private/exam.ipynb", True),
    ("hw/Private/deep/exam.ipynb", True),
    ("hw/PRIVATE/x", True),
    ("private", False),
    ("hw/private.txt", False),
    ("hw/not-private/x", False),
    ("hw/lab01.solution.ipynb", True),
    ("hw/lab01.SOLUTION.py", True),
    ("hw/lab01.solution (my copy 2026-11-22 1403).ipynb", True),
    ("hw/lab01.solution (conflicted copy, Ann, 2026-11-22 1403) 2.ipynb", True),
    ("hw/lab01.solution (conflicted copy, Ann (TA), 2026-11-22 1403).ipynb", True),
    ("hw/lab01.solution (conflicted copy, a)b(c, 2026-11-22 1403).ipynb", True),
    ("hw/lab01 (conflicted copy, Ann (TA), 2026-11-22 1403).ipynb", False),
    ("hw/lab.solution.d/data.csv", True),
    ("hw/lab01_solution.ipynb", False),
    ("hw/solution.ipynb", False),
    (".syncstaff", True),
    ("hw/.syncstaff", True),
    ("a/b/x.key", True),
    ("a/b/x (my copy 2026-11-22 1403).key", True),
    ("a/b/sample.key", False),
    ("exams/1.pdf", True),
    ("hw/exams/1.pdf", False),
    ("hw/grading.ipynb", True),
    ("hw/grading (my copy 2026-11-22 1403).ipynb", True),
    ("grading.ipynb", False),
    ("e\u0301/re\u0301sume\u0301.txt", True),
    ("private/handout/open.pdf", False),
]


@pytest.mark.parametrize(("path", "staff"), TABLE)
def test_a_path_is_for_staff_or_not(path: str, staff: bool) -> None:
    rule = Staff(lambda folder: FILES.get(folder, ""), [Allowed(RelPath("private/handout"), "staff")])
    assert rule.is_staff(RelPath(path)) is staff


def test_lines_that_are_no_patterns_say_nothing() -> None:
    rule = Staff(lambda folder: "# comment\n\n!\n///\nx\n" if not folder else "")
    assert rule.is_staff(RelPath("a/x")) and not rule.is_staff(RelPath("y"))


@pytest.mark.parametrize("name", ["x" * 230 + ".solution.py", "hw/" + "é" * 110 + "_key.ipynb"])
def test_a_copy_whose_name_was_cut_off_is_staffs(name: str) -> None:
    rule = Staff(lambda _: "*_key.ipynb")
    copy = beside(RelPath(name), conflicted_copy("Ann"), datetime(2026, 11, 22, 14, 3), ())
    assert rule.is_staff(RelPath(name)) and rule.is_staff(copy)
