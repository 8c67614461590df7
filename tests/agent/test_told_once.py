"""Whoever started an agent is told by a descriptor, whose number is another file's from then on."""

import os
from pathlib import Path

from syncd.cli.student import Teller


def test_a_course_that_is_followed_later_touches_no_other_file(tmp_path: Path) -> None:
    said, told = os.pipe()
    teller = Teller(told, ["ds8"])
    for course in ("ds8", ""):
        teller.shown(course)
    assert os.read(said, 2) == b"." and os.read(said, 1) == b""  # told, and closed
    saved = tmp_path / "layer.log"
    number = os.open(saved, os.O_RDWR | os.O_CREAT)
    try:
        os.dup2(number, told)
        teller.shown("a-course-that-a-link-added")
        assert os.path.samestat(os.fstat(told), saved.stat()) and not saved.read_bytes()
    finally:
        for each in {number, told, said}:
            os.close(each)
