"""Every row of `posix_table` on a folder of the disk and on the mount: same answers, same traces, also after a kill.

Three kinds of set-up: what a row needs is the course's (lower), the student's (upper), or the
student's over the course's (both).  The disk is the judge of the table too.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from made_commits import Special, Store
from mounted import ENGINES, Mounted
from posix_names import FLAGGED_RENAMES, LINKS, RENAMES
from posix_table import ATTRIBUTES, FILES, FOLDERS, NEEDS, OWNERS, STAGE
from posix_words import Seen, said

from syncd.core.entry import Mode

pytestmark = [pytest.mark.fuse, pytest.mark.slow]

TABLES = {
    "folders": FOLDERS,
    "files": FILES,
    "links": LINKS,
    "renames": RENAMES,
    "flagged": FLAGGED_RENAMES,
    "attributes": ATTRIBUTES,
    "owners": OWNERS,
}
Stage = dict[str, bytes | Special | str]
LAYERS = ["lower", "upper", "both"]
TICK_S = 0.03
"""Longer than the clock of file times ticks."""


@dataclass(frozen=True)
class Row:
    line: str
    steps: list[str]
    gives: str

    def stage(self) -> Stage:
        """The entries that the row names, and those that they lead to."""
        named = {part.partition("@")[0].split("/")[0] for step in self.steps for part in step.split()}
        named |= {needed for name in list(named) for needed in NEEDS.get(name, [])}
        return {path: what for path, what in STAGE.items() if path.split("/")[0] in named}


def rows(table: str) -> list[Row]:
    found = []
    for line in TABLES[table].strip().splitlines():
        steps, _, gives = line.partition(" -> ")
        found.append(Row(line, [step.strip() for step in steps.split(";")], gives))
    return found


def make(place: Path, path: str, what: bytes | Special | str) -> None:
    at = place / path
    at.parent.mkdir(parents=True, exist_ok=True)
    if what == "folder":
        at.mkdir()
    elif what == "fifo":
        os.mkfifo(at, 0o644)
    elif isinstance(what, Special) and what.mode is Mode.SYMLINK:
        os.symlink(what.content, at)
    elif isinstance(what, Special):
        at.write_bytes(what.content)
        at.chmod(0o755)
    elif isinstance(what, bytes):
        at.write_bytes(what)


def touch_all(place: Path, stage: Stage) -> None:
    """Make the course's entries the student's, without a change that shows."""
    for path, what in stage.items():
        if isinstance(what, bytes):
            with open(place / path, "r+b") as held:
                held.write(what[:1])
        elif isinstance(what, Special) and what.mode is Mode.SYMLINK:
            os.unlink(place / path)
            os.symlink(what.content, place / path)
        elif isinstance(what, Special):
            os.chmod(place / path, 0o700)
            os.chmod(place / path, 0o755)
        folder = (place / path).parent
        if folder != place:
            os.mkdir(folder / "made")
            os.rmdir(folder / "made")


@dataclass(frozen=True)
class Look:
    """One entry as it shows."""

    found: os.stat_result
    content: object

    @classmethod
    def at(cls, path: str) -> "Look":
        found = os.lstat(path)
        content: object = None
        if stat.S_ISREG(found.st_mode):
            content = Path(path).read_bytes()
        elif stat.S_ISLNK(found.st_mode):
            content = os.readlink(path)
        return cls(found, content)

    def about(self) -> tuple[object, ...]:
        """What must be the same on every file system; the links and sizes of folders need not."""
        found = self.found
        one = () if stat.S_ISDIR(found.st_mode) else (found.st_nlink, found.st_size, found.st_rdev)
        return (oct(found.st_mode), found.st_uid, found.st_gid, *one, self.content)


@dataclass
class Room:
    """One place where a row is played: on the disk or on the mount."""

    place: Path
    before: Seen = field(default_factory=dict)
    after: dict[str, Look] = field(default_factory=dict)
    answer: str = ""
    failed: str = ""

    def stage(self, entries: Stage, layer: str) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        for path, what in entries.items():
            if layer == "upper" or isinstance(what, str):
                make(self.place, path, what)
        if layer == "both":
            touch_all(self.place, entries)

    def look(self) -> dict[str, Look]:
        with contextlib.chdir(self.place):
            found = ["."]
            for here, folders, files in os.walk("."):
                found += [os.path.normpath(os.path.join(here, name)) for name in folders + files]
            return {path: Look.at(path) for path in found}

    def play(self, row: Row) -> None:
        with contextlib.chdir(self.place), masked():
            for number, step in enumerate(row.steps):
                self.answer = said(step, self.before)
                if number < len(row.steps) - 1 and self.answer:
                    self.failed = f"{step} gave {self.answer}"
        self.after = self.look()

    def same(self) -> set[str]:
        """The paths at which the same entry is as before."""
        after = self.after
        return {
            path for path, found in self.before.items() if path in after and os.path.samestat(found, after[path].found)
        }

    def moved(self, paths: set[str], kind: str) -> set[str]:
        """Those paths whose time of a kind has changed."""
        return {path for path in paths if getattr(self.after[path].found, kind) != getattr(self.before[path], kind)}


@contextlib.contextmanager
def masked() -> Iterator[None]:
    mask = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(mask)


@pytest.fixture(scope="module", params=ENGINES)
def mounted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounted]:
    """One mount for all tables; each row has a folder of its own in it."""
    where = tmp_path_factory.mktemp("table")
    course: dict[str, bytes | Special] = {"README.md": b"hello"}
    for table in TABLES:
        for number, row in enumerate(rows(table)):
            for layer in ("lower", "both"):
                for path, what in row.stage().items():
                    if not isinstance(what, str):
                        course[f"{table}/{layer}/{number}/{path}"] = what
    with masked():
        student = Mounted(Store(where / "store"), where, request.param)
    student.switch(course)
    yield student
    student.close()


def differences(row: Row, disk: Room, mount: Room, layer: str) -> list[str]:
    out = [f"{name}: {room.failed}" for name, room in (("disk", disk), ("mount", mount)) if room.failed]
    if disk.answer != row.gives:
        out.append(f"the table is wrong: the disk gives {disk.answer!r}")
    if mount.answer != row.gives:
        out.append(f"the mount gives {mount.answer!r}")
    return out or differing(disk, mount) or differing_times(disk, mount, layer)


def differing(disk: Room, mount: Room) -> list[str]:
    a, b = ({path: look.about() for path, look in room.after.items()} for room in (disk, mount))
    paths = sorted(path for path in a.keys() | b.keys() if a.get(path) != b.get(path))
    return [f"{path} is {str(b.get(path))[:120]}, on the disk {str(a.get(path))[:120]}" for path in paths]


def differing_times(disk: Room, mount: Room, layer: str) -> list[str]:
    """A copy-up touches the folder: so folders are judged where there is none."""
    out, same = [], disk.same()
    files = {path for path in same if not stat.S_ISDIR(disk.before[path].st_mode)}
    for kind in ("st_mtime_ns", "st_ctime_ns"):
        judged = same if layer == "upper" else files
        here, there = mount.moved(judged, kind), disk.moved(judged, kind)
        if here != there:
            out.append(f"{kind} moved of {here}, on the disk of {there}")
    return out


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "table", [pytest.param(name, marks=[pytest.mark.root] if name == "owners" else []) for name in TABLES]
)
def test_every_row_gives_what_a_disk_gives(mounted: Mounted, tmp_path: Path, table: str, layer: str) -> None:
    if table == "flagged" and mounted.engine == "mfusepy":
        pytest.skip("libfuse's path interface hands on no flags of renames, and makes no files without a name")
    played: list[tuple[Row, Room, Room]] = []
    for number, row in enumerate(rows(table)):
        # Libfuse asks for each name of each path again and again: there a sixth of the rows must do for a layer.
        if mounted.engine == "kernel" or number % 6 == 2 * LAYERS.index(layer):
            played.append((row, Room(tmp_path / str(number)), Room(mounted.path(f"{table}/{layer}/{number}"))))
    with masked():
        for row, disk, mount in played:
            disk.stage(row.stage(), "upper")
            mount.stage(row.stage(), layer)
    for _, *rooms in played:
        for room in rooms:
            room.before = {path: look.found for path, look in room.look().items()}
    time.sleep(TICK_S)
    wrong: list[str] = []
    for row, disk, mount in played:
        disk.play(row)
        mount.play(row)
        wrong += [f"{row.line}: {what}" for what in differences(row, disk, mount, layer)]
    mounted.restart()
    for row, disk, mount in played:
        mount.after = mount.look()
        found = differing(disk, mount) or differing_times(disk, mount, layer)
        wrong += [f"{row.line}: after a restart {what}" for what in found]
    assert not wrong, "\n".join(wrong)
