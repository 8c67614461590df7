"""People with hands only: they write, edit, rename and delete files, and remember which of their words must survive.

Every word that somebody writes is unique.  A word is owed from the moment its write came back
without an error until the same person replaces or deletes what held it.
"""

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from syncd.demo.sample import as_text, notebook

WORD = re.compile(r"w-[a-z]+-\d+-w")
_BESIDE = re.compile(r" \((?:my copy|instructor's version|conflicted copy)[^)]*\)(?: \d+)?")
NEW = ("new.md", "labs/new.md", "labs/new.ipynb", "extra/new.txt", "extra/deep/new.ipynb")


def words(content: bytes | str) -> set[str]:
    return set(WORD.findall(content.decode(errors="replace") if isinstance(content, bytes) else content))


def plain_name(path: str) -> str:
    """The name of what a file was put beside."""
    while (shorter := _BESIDE.sub("", path)) != path:
        path = shorter
    return path


def follow(paths: Iterable[str], renames: Iterable[tuple[str, str]]) -> set[str]:
    """The paths, and all that they were or became by renames (of anybody, in any order)."""
    out = {plain_name(path) for path in paths}
    pairs = [(plain_name(old), plain_name(new)) for old, new in renames]
    while True:
        both = [*pairs, *((new, old) for old, new in pairs)]
        more = {to + path[len(of) :] for of, to in both for path in out if f"{path}/".startswith(f"{of}/")}
        if more <= out:
            return out
        out |= more


@dataclass
class Person:
    """Somebody's hands in one folder."""

    name: str
    folder: Path
    rng: random.Random
    owed: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    renames: list[tuple[str, str]] = field(default_factory=list)
    _count: int = 0

    def word(self) -> str:
        self._count += 1
        return f"w-{self.name}-{self._count}-w"

    def files(self) -> list[str]:
        found = []
        for above, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if name != ".git" and not name.startswith(".~")]
            found += [os.path.relpath(os.path.join(above, n), self.folder) for n in names if not n.startswith(".~")]
        return sorted(path for path in found if not os.path.islink(self.folder / path))

    def act(self) -> str:
        """Do something; what it was, in words.  What the folder refuses (it is just not there, say) is not done."""
        what: Callable[[], str] = self.rng.choices(
            [self.edit, self.create, self.rename, self.delete, self.rename_folder], [10, 4, 2, 2, 0.5]
        )[0]
        try:
            return f"{self.name} {what()}"
        except (OSError, IndexError) as refused:
            return f"{self.name} could not {what.__name__}: {refused}"

    def edit(self) -> str:
        files = self.files()
        path = self.rng.choice(files[:4] if self.rng.random() < 0.5 else files)  # people meet in the same files
        old = (self.folder / path).read_text()
        word = self.word()
        new = _edited_notebook(old, word, self.rng) if path.endswith(".ipynb") else None
        self._write(path, old, _edited_text(old, word, self.rng) if new is None else new)
        return f"edits {path}: {word}, drops {sorted(words(old) - words(new or word) & self.owed) if new else ''}"

    def create(self) -> str:
        path, word = self.rng.choice(NEW), self.word()
        try:
            old = (self.folder / path).read_text()
        except FileNotFoundError:
            old = ""
        own = "".join(f"{word} line {n} of {self.name}\n" for n in range(self.rng.randrange(1, 6)))
        self._write(path, old, notebook(("markdown", word), ("code", own)) if path.endswith(".ipynb") else own)
        return f"creates {path}: {word}"

    def rename(self) -> str:
        path = self.rng.choice(self.files())
        above, _, name = path.rpartition("/")
        to = os.path.join(self.rng.choice([above, "", "labs"]), f"{self.rng.randrange(5)}{name[-14:]}")
        if os.path.lexists(self.folder / to):
            return f"leaves {path} alone"
        self._note_rename(path, to)
        (self.folder / to).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).rename(self.folder / to)
        return f"renames {path} to {to}"

    def rename_folder(self) -> str:
        above = self.rng.choice([path.rpartition("/")[0] for path in self.files() if "/" in path])
        to = f"{above}{self.rng.randrange(3)}"
        if os.path.lexists(self.folder / to):
            return f"leaves {above} alone"
        for path in self.files():
            if path.startswith(above + "/"):
                self._note_rename(path, to + path[len(above) :])
        self.renames.append((above, to))  # what others have in it follows (S17)
        (self.folder / above).rename(self.folder / to)
        return f"renames the folder {above} to {to}"

    def delete(self) -> str:
        path = self.rng.choice(self.files())
        gone = words((self.folder / path).read_bytes())
        self.touched.add(path)
        self.owed -= gone
        (self.folder / path).unlink()
        return f"deletes {path} with {sorted(gone)}"

    def _note_rename(self, path: str, to: str) -> None:
        self.touched |= {path, to}
        self.renames.append((path, to))

    def _write(self, path: str, old: str, new: str) -> None:
        """As programs save: in place, or aside and then over it."""
        self.touched.add(path)
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        self.owed -= words(old) - words(new)
        if self.rng.random() < 0.5:
            held = words(old) & self.owed
            self.owed -= held  # between the truncation and the write they are in this program's hands only
            target.write_text(new)
            self.owed |= held
        else:
            aside = target.with_name(f".~lock.{target.name}")
            aside.write_text(new)
            aside.replace(target)
        self.owed |= words(new) - words(old)


def _edited_text(old: str, word: str, rng: random.Random) -> str:
    lines = old.splitlines(keepends=True)
    at = rng.randrange(len(lines) + 1)
    if rng.random() < 0.4:
        lines[at : at + 1] = [f"instead {word}\n"]
    else:
        lines.insert(at, f"also {word}\n")
    return "".join(lines)


def _edited_notebook(old: str, word: str, rng: random.Random) -> str | None:
    """Edited as Jupyter would; None if Jupyter could not open it."""
    try:
        document: dict[str, Any] = json.loads(old)
        cells: list[dict[str, Any]] = document["cells"]
        what = rng.randrange(4) if cells else 3
        if what == 0:
            del cells[rng.randrange(len(cells))]
        elif what == 1:
            cells.insert(0, cells.pop(rng.randrange(len(cells))))
        if what == 2:
            cell = rng.choice(cells)
            cell["source"] = _edited_text("".join(cell["source"]), word, rng).splitlines(keepends=True)
            if cell["cell_type"] == "code":
                cell["execution_count"] = rng.randrange(9)
                cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": ["ran\n"]}]
        else:
            new = {"cell_type": "markdown", "id": word, "metadata": {}, "source": [word]}
            cells.insert(rng.randrange(len(cells) + 1), new)
    except (ValueError, KeyError, TypeError):
        return None
    return as_text(document)


def seed_course(folder: Path) -> None:
    """Enough files that a few deletions are no catastrophe (MERGE_SPEC I7), none like another."""
    for n in range(10):
        text = "".join(f"{n}: sentence {k} of the text {n * n}\n" for k in range(12))
        path = folder / ("texts" if n % 2 else "texts/more") / f"text{n}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for n in range(6):
        path = folder / "labs" / f"lab{n}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = [("code" if k % 2 else "markdown", f"cell {k} of lab {n}\nanswer{n}{k} = ...") for k in range(6)]
        path.write_text(notebook(*cells))
    shutil.copy(folder / "texts/text1.md", folder / "README.md")
    os.symlink("texts/text1.md", folder / "first.md")
