"""The story that `--once` plays: each step is done by hand-like file operations and checked byte by byte.

What the instructor's folder, the remote repository and every student's folder should hold is
reckoned here independently: the remote is read with git itself, the folders with plain reads.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from syncd.core.errors import Stop
from syncd.demo import sample
from syncd.demo.stage import Stage, wait_for

Tell = Callable[[str, float], None]
Files = dict[str, tuple[int, bytes]]

WEEK = "week 2"  # the story's own folder, whichever course it plays in
LAB = f"{WEEK}/lab02.ipynb"
NOTES = f"{WEEK}/notes.md"


def play(stage: Stage, tell: Tell) -> None:
    """Play all steps.  Stop, in one sentence, at the first that does not hold."""
    for title, step in _steps(stage):
        tell(title, step())
    _account(stage)


def _steps(stage: Stage) -> Iterator[tuple[str, Callable[[], float]]]:
    ada, ben, chi = (Path(stage.students[name]) for name in ("ada", "ben", "chi"))
    mine = stage.folder
    everyone = (ada, ben, chi)

    def all_like_instructor(*paths: str, who: tuple[Path, ...] = everyone) -> bool:
        return all((home / path).read_bytes() == (mine / path).read_bytes() for home in who for path in paths)

    def first() -> float:
        published = _remote(stage)
        return wait_for("the course is in every folder", lambda: all(_files(h) == published for h in everyone), 120)

    def save() -> float:
        (mine / WEEK).mkdir()
        (mine / LAB).write_text(sample.LAB)
        (mine / NOTES).write_text("One.\nTwo.\nThree.\nFour.\nFive.\n")
        (mine / WEEK / "old name.csv").write_text("a,b\n1,2\n")
        (mine / WEEK / "extra.txt").write_text("Soon to go.\n")
        return wait_for(
            "a new folder arrives",
            lambda: all_like_instructor(LAB, NOTES, f"{WEEK}/old name.csv", f"{WEEK}/extra.txt"),
        )

    def update() -> float:
        _save(mine / NOTES, (mine / NOTES).read_text().replace("One.", "One, corrected."))
        return wait_for("a save arrives", lambda: all_like_instructor(NOTES))

    def student_edits() -> float:
        began = time.monotonic()
        _save(ada / LAB, sample.edited((ada / LAB).read_text(), 3, "cities = len(rows)\ncities", "3\n"))
        _save(ben / LAB, sample.edited((ben / LAB).read_text(), 5, 'largest = "Oakland"', "Oakland\n"))
        (ada / "my own notes.txt").write_text("Ask about question 2.\n")
        if (mine / LAB).read_text() != sample.LAB or (chi / LAB).read_text() != sample.LAB:
            raise Stop("a student's edit must not leave the student's folder")
        return time.monotonic() - began

    def merge() -> float:
        _save(mine / LAB, sample.edited((mine / LAB).read_text(), 0, "# Lab 2: Tables\n\nNow due on Friday."))

        def merged() -> bool:
            theirs = {home: (home / LAB).read_text() for home in everyone}
            return (
                all("due on Friday" in sample.source(text, 0) for text in theirs.values())
                and "len(rows)" in sample.source(theirs[ada], 3)
                and '"output_type": "stream"' in theirs[ada]
                and "Oakland" in sample.source(theirs[ben], 5)
                and all_like_instructor(LAB, who=(chi,))
            )

        return wait_for("the notebook is merged, the answers are kept", merged)

    def same_cell() -> float:
        _save(mine / LAB, sample.edited((mine / LAB).read_text(), 3, "cities = ...  # use len()"))
        expected = (mine / LAB).read_bytes()

        def beside() -> bool:
            copies = list((ada / WEEK).glob("lab02 (instructor's version *).ipynb"))
            return (
                "len(rows)" in sample.source((ada / LAB).read_text(), 3)
                and len(copies) == 1
                and copies[0].read_bytes() == expected
                and "use len()" in sample.source((ben / LAB).read_text(), 3)
                and all_like_instructor(LAB, who=(chi,))
            )

        return wait_for("both changed one cell: hers stays, the instructor's is beside it", beside)

    def delete() -> float:
        _save(ada / WEEK / "extra.txt", "Ada needs this.\n")
        (mine / WEEK / "extra.txt").unlink()

        def gone() -> bool:
            return not any((home / WEEK / "extra.txt").exists() for home in (ben, chi))

        took = wait_for("a deleted file goes", gone)
        if (ada / WEEK / "extra.txt").read_text() != "Ada needs this.\n":
            raise Stop("a file that a student edited must survive the instructor's deletion")
        return took

    def rename() -> float:
        (mine / WEEK / "old name.csv").rename(mine / WEEK / "new name.csv")

        def renamed() -> bool:
            old = any((home / WEEK / "old name.csv").exists() for home in everyone)
            return not old and all_like_instructor(f"{WEEK}/new name.csv")

        return wait_for("a renamed file arrives under its new name", renamed)

    def restore() -> float:
        (ben / NOTES).unlink()
        if (ben / NOTES).exists():
            raise Stop("a student must be able to delete a file")
        began = time.monotonic()
        done = stage.syncd("restore", ben / NOTES, student="ben")
        if done.returncode:
            raise Stop(f"syncd restore said: {done.stderr.strip()}")
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


def _account(stage: Stage) -> None:
    """Every byte at the end: remote like folder, students like remote but for their own work."""
    # The remote may hold more: what plain git put there and no folder takes in (litter, submodules).
    wait_for("the remote holds the instructor's folder", lambda: _files(stage.folder).items() <= _remote(stage).items())
    published = _remote(stage)
    own = {
        "ada": {LAB, f"{WEEK}/extra.txt", "my own notes.txt"},
        "ben": {LAB},
        "chi": set(),
    }
    for student, home in stage.students.items():
        held = _files(home)
        for path, content in published.items():
            if path not in own[student] and held.get(path) != content:
                raise Stop(f"{student}'s {path} is not what the instructor published")
        for path in held.keys() - published.keys() - own[student]:
            if "(instructor's version " not in path:
                raise Stop(f"{student} has {path}, which nobody made")
    if any(b"<<<<<<<" in content for home in stage.students.values() for _, content in _files(home).values()):
        raise Stop("a conflict marker is in a student's file")


def _save(path: Path, text: str) -> None:
    """Save as Jupyter does: a copy aside, then in place."""
    aside = path.with_name(f".~{path.name}")
    shutil.copy2(path, aside)
    path.write_text(text)
    aside.unlink()


def _files(folder: Path) -> Files:
    """All files of a folder: executable bit or link, and content."""
    found: Files = {}
    for above, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in (*names, *(f for f in folders if os.path.islink(os.path.join(above, f)))):
            path = os.path.join(above, name)
            relative = os.path.relpath(path, folder)
            if name.startswith(".~"):
                continue
            if os.path.islink(path):
                found[relative] = (0o120000, os.fsencode(os.readlink(path)))
            else:
                mode = 0o100755 if os.stat(path).st_mode & 0o100 else 0o100644
                found[relative] = (mode, Path(path).read_bytes())
    return found


def _remote(stage: Stage) -> Files:
    """The same of the remote's branch, read with git."""
    listed: list[tuple[int, str, bytes]] = []
    for line in stage.remote_git("ls-tree", "-r", "-z", "HEAD").split(b"\0"):
        facts, _, path = line.partition(b"\t")
        if path and facts.split()[1] == b"blob":
            listed.append((int(facts.split()[0], 8), os.fsdecode(path), facts.split()[2]))
    packed = stage.remote_git("cat-file", "--batch", input=b"\n".join(blob for _, _, blob in listed) + b"\n")
    found: Files = {}
    at = 0
    for mode, name, _ in listed:
        end = packed.index(b"\n", at)
        size = int(packed[at:end].split()[2])
        found[name] = (mode, packed[end + 1 : end + 1 + size])
        at = end + size + 2
    return found
