"""The story that `--once` plays: each step is done by hand-like file operations and checked byte by byte.

What the instructor's folder, the remote repository and every student's folder should hold is
reckoned here independently: the remote is read with git itself, the folders with plain reads.
"""

import fnmatch
import time
from collections.abc import Callable, Iterator, Sequence

from syncd.core.errors import Stop
from syncd.demo import sample
from syncd.demo.hands import Cast, Hands
from syncd.demo.stage import wait_for

Tell = Callable[[str, float], None]

WEEK = "week 2"  # the story's own folder, whichever course it plays in
LAB = f"{WEEK}/lab02.ipynb"
NOTES = f"{WEEK}/notes.md"


def play(cast: Cast, tell: Tell) -> None:
    """Play all steps.  Stop, in one sentence, at the first that does not hold."""
    for title, step in _steps(cast):
        tell(title, step())
    _account(cast)


def _steps(cast: Cast) -> Iterator[tuple[str, Callable[[], float]]]:
    ada, ben, chi = (cast.students[name] for name in ("ada", "ben", "chi"))
    mine = cast.instructor
    everyone = (ada, ben, chi)

    def all_like_instructor(*paths: str, who: Sequence[Hands] = everyone) -> bool:
        return all(student.read(path) == mine.read(path) for path in paths for student in who)

    def first() -> float:
        published = cast.published()
        return wait_for("the course is in every folder", lambda: all(h.files() == published for h in everyone), 120)

    def save() -> float:
        mine.save(LAB, sample.LAB)
        mine.save(NOTES, "One.\nTwo.\nThree.\nFour.\nFive.\n")
        mine.save(f"{WEEK}/old name.csv", "a,b\n1,2\n")
        mine.save(f"{WEEK}/extra.txt", "Soon to go.\n")
        return wait_for(
            "a new folder arrives",
            lambda: all_like_instructor(LAB, NOTES, f"{WEEK}/old name.csv", f"{WEEK}/extra.txt"),
        )

    def update() -> float:
        mine.save(NOTES, _text(mine, NOTES).replace("One.", "One, corrected."))
        return wait_for("a save arrives", lambda: all_like_instructor(NOTES))

    def student_edits() -> float:
        began = time.monotonic()
        ada.save(LAB, sample.edited(_text(ada, LAB), 3, "cities = len(rows)\ncities", "3\n"))
        ben.save(LAB, sample.edited(_text(ben, LAB), 5, 'largest = "Oakland"', "Oakland\n"))
        ada.save("my own notes.txt", "Ask about question 2.\n")
        if _text(mine, LAB) != sample.LAB or _text(chi, LAB) != sample.LAB:
            raise Stop("a student's edit must not leave the student's folder")
        return time.monotonic() - began

    def merge() -> float:
        mine.save(LAB, sample.edited(_text(mine, LAB), 0, "# Lab 2: Tables\n\nNow due on Friday."))

        def merged() -> bool:
            hers, his, theirs = (_text(student, LAB) for student in everyone)
            return (
                all("due on Friday" in sample.source(text, 0) for text in (hers, his, theirs))
                and "len(rows)" in sample.source(hers, 3)
                and '"output_type": "stream"' in hers
                and "Oakland" in sample.source(his, 5)
                and all_like_instructor(LAB, who=(chi,))
            )

        return wait_for("the notebook is merged, the answers are kept", merged)

    def same_cell() -> float:
        mine.save(LAB, sample.edited(_text(mine, LAB), 3, "cities = ...  # use len()"))
        expected = mine.read(LAB)

        def beside() -> bool:
            copies = fnmatch.filter(ada.names(WEEK), "lab02 (instructor's version *).ipynb")
            return (
                "len(rows)" in sample.source(_text(ada, LAB), 3)
                and len(copies) == 1
                and ada.read(f"{WEEK}/{copies[0]}") == expected
                and "use len()" in sample.source(_text(ben, LAB), 3)
                and all_like_instructor(LAB, who=(chi,))
            )

        return wait_for("both changed one cell: hers stays, the instructor's is beside it", beside)

    def delete() -> float:
        ada.save(f"{WEEK}/extra.txt", "Ada needs this.\n")
        mine.remove(f"{WEEK}/extra.txt")
        took = wait_for("a deleted file goes", lambda: not any("extra.txt" in who.names(WEEK) for who in (ben, chi)))
        if _text(ada, f"{WEEK}/extra.txt") != "Ada needs this.\n":
            raise Stop("a file that a student edited must survive the instructor's deletion")
        return took

    def rename() -> float:
        mine.rename(f"{WEEK}/old name.csv", f"{WEEK}/new name.csv")

        def renamed() -> bool:
            old = any("old name.csv" in student.names(WEEK) for student in everyone)
            return not old and all_like_instructor(f"{WEEK}/new name.csv")

        return wait_for("a renamed file arrives under its new name", renamed)

    def restore() -> float:
        ben.remove(NOTES)
        if NOTES.rpartition("/")[2] in ben.names(WEEK):
            raise Stop("a student must be able to delete a file")
        began = time.monotonic()
        ben.restore(NOTES)
        wait_for("a deleted file is restored", lambda: all_like_instructor(NOTES, who=(ben,)))
        return time.monotonic() - began

    yield "the course is in every student's folder", first
    yield "the instructor saves a new folder, it arrives", save
    yield "the instructor corrects a line, it arrives", update
    yield "Ada and Ben answer questions in a notebook", student_edits
    yield "the instructor updates that notebook, it is merged", merge
    yield "both change one cell: Ada's stays, the other is beside it", same_cell
    yield "the instructor deletes a file that Ada had edited", delete
    yield "the instructor renames a file", rename
    yield "Ben deletes a file and restores it", restore


def _account(cast: Cast) -> None:
    """Every byte at the end: remote like folder, students like remote but for their own work."""
    # The remote may hold more: what plain git put there and no folder takes in (litter, submodules).
    wait_for(
        "the remote holds the instructor's folder",
        lambda: cast.instructor.files().items() <= cast.published().items(),
    )
    published = cast.published()
    own = {
        "ada": {LAB, f"{WEEK}/extra.txt", "my own notes.txt"},
        "ben": {LAB},
        "chi": set(),
    }
    for student, hands in cast.students.items():
        held = hands.files()
        for path, content in published.items():
            if path not in own[student] and held.get(path) != content:
                raise Stop(f"{student}'s {path} is not what the instructor published")
        for path in held.keys() - published.keys() - own[student]:
            if "(instructor's version " not in path:
                raise Stop(f"{student} has {path}, which nobody made")
        if any(b"<<<<<<<" in content for _, content in held.values()):
            raise Stop("a conflict marker is in a student's file")


def _text(hands: Hands, path: str) -> str:
    return hands.read(path).decode()
