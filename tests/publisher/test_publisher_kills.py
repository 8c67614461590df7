"""Killed between any two steps, started again: the same end, and nothing that a person wrote is lost."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from classroom_side import Colleague, Course, add, everything, fill, git, until

from syncd.core.entry import CommitId
from syncd.core.settle import Due
from syncd.folder.root import Dir
from syncd.git.commits import Author, History
from syncd.publisher.local import Local
from syncd.publisher.workspace import Workspace

pytestmark = pytest.mark.slow


EVERYTHING = Due(frozenset(), True, frozenset())


class Killed(BaseException):
    """Nothing that comes after this is done, not even clearing up."""


class Desk:
    """A folder and its state, and a remote's commit that is to be taken in."""

    def __init__(self, place: Path) -> None:
        self.place, self.folder = place, place / "folder"
        self.folder.mkdir(parents=True)
        self.open()

    def open(self) -> None:
        self.here = Workspace(self.folder, self.place / "own", "main", Author("Ida", "ida@example.org"))
        self.local = Local(self.here)

    def run(self) -> None:
        """What a publisher does at its start, when the remote shows what was fetched last."""
        self.local.recover()
        self.local.take_up(EVERYTHING)
        theirs = self.here.history.fetched("main")
        assert theirs is not None
        taken = self.local.take_in(theirs)
        assert not taken.waits
        self.here.history.set_agreed("main", theirs)

    def theirs(self, files: dict[str, str | bytes | None]) -> CommitId:
        """Somebody's commit on top of ours, in the history as if it had been fetched."""
        bare, clone = self.here.history.path, self.place / "clone"
        git(self.place, "clone", "-q", "-b", "main", str(bare), "clone")
        for name, content in files.items():
            if content is None:
                git(clone, "rm", "-q", "-r", name)
            else:
                fill(clone, {name: content})
        git(clone, "add", "-A")
        git(clone, "commit", "-q", "-m", "Theirs")
        git(clone, "push", "-q", str(bare), "HEAD:refs/remotes/origin/main")
        return CommitId(git(clone, "rev-parse", "HEAD").decode().strip())


def dying_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    count = 0

    def wrap(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def call(self: object, *arguments: object, **more: object) -> object:
            nonlocal count
            count += 1
            if count > steps:
                raise Killed
            return original(self, *arguments, **more)

        monkeypatch.setattr(owner, name, call)

    for name in ("create", "move", "exchange", "replace", "unlink", "rmdir", "mkdir", "symlink", "sync"):
        wrap(Dir, name)
    for name in ("set_head", "set_agreed", "commit"):
        wrap(History, name)
    return lambda: count


BASE: dict[str, str | bytes] = {
    "apart.txt": "one\ntwo\nthree\nfour\nfive\n",
    "same.bin": b"\0",
    "they delete": "x",
    "I delete": "y",
    "becomes folder": "f",
    "folder/becomes": "file",
    "theirs only": "t",
    "deep/er/and/deeper": "d",
    "they rename": "1\n2\n3\n4\n5\n",
    "I rename": "1\n2\n3\n4\n5\n6\n",
    "their folder/x": "1\n2\n3\n",
    "my folder/x": "1\n2\n3\n4\n",
}
MINE: dict[str, str | bytes | None] = {
    "apart.txt": "ONE\ntwo\nthree\nfour\nfive\n",
    "same.bin": b"\0mine",
    "they delete": "edited",
    "I delete": None,
    "new": "my new one",
    "clash": "my file",
    "they rename": "one\n2\n3\n4\n5\n",
    "I rename": None,
    "my name": "1\n2\n3\n4\n5\n6\n",
    "their folder/mine": "follows",
    "my folder/x": None,
    "my new folder/x": "1\n2\n3\n4\n",
}
THEIRS: dict[str, str | bytes | None] = {
    "apart.txt": "one\ntwo\nthree\nfour\nFIVE\n",
    "same.bin": b"\0theirs",
    "they delete": None,
    "I delete": "edited",
    "becomes folder": None,
    "becomes folder/inside": "i",
    "folder/becomes": None,
    "folder": "now a file",
    "theirs only": "tt",
    "deep/er/and/deeper": None,
    "new": "their new one",
    "clash/x": "their folder",
    "they rename": None,
    "their name": "1\n2\n3\n4\nfive\n",
    "I rename": "1\n2\n3\n4\n5\nsix\n",
    "their folder/x": None,
    "their new folder/x": "1\n2\n3\n",
    "my folder/theirs": "comes after",
}


def story(place: Path) -> Desk:
    desk = Desk(place)
    fill(desk.folder, BASE)
    made = desk.local.take_up(EVERYTHING).commit
    assert made is not None
    desk.here.history.set_agreed("main", made)
    desk.theirs(THEIRS)
    for name, content in MINE.items():
        if content is None:
            (desk.folder / name).unlink()
        else:
            fill(desk.folder, {name: content})
    return desk


def without_times(files: dict[str, bytes]) -> dict[str, bytes]:
    import re

    return {re.sub(r" \d{4}-\d\d-\d\d \d{4}", "", name): content for name, content in files.items()}


def check(desk: Desk, wanted: dict[str, bytes]) -> None:
    found = everything(desk.folder)
    assert without_times(found) == wanted
    history, head = desk.here.history, desk.here.head
    tree = {path: history.read(entry.blob) for path, entry in history.files(history.tree_id(head))}
    assert tree == found
    assert history.contains(head, history.fetched("main"))


@pytest.mark.parametrize("start", range(2))
def test_killed_at_any_step_of_a_merge_it_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    story(tmp_path / "template").here.close()
    shutil.copytree(tmp_path / "template", tmp_path / "plain", symlinks=True)
    desk = reopened(tmp_path / "plain")
    with monkeypatch.context() as patch:
        count = dying_after(10**9, patch)
        desk.run()
        steps = count()
    wanted = without_times(everything(desk.folder))
    check(desk, wanted)
    assert sorted(wanted.values()) == sorted(
        [
            *(b"ONE\ntwo\nthree\nfour\nFIVE\n", b"\0mine", b"\0theirs", b"edited", b"edited", b"i", b"now a file"),
            *(b"tt", b"my new one", b"their new one", b"my file", b"their folder"),
            *(b"one\n2\n3\n4\nfive\n", b"1\n2\n3\n4\n5\nsix\n", b"1\n2\n3\n", b"1\n2\n3\n4\n"),
            *(b"follows", b"comes after"),
        ]
    )
    assert wanted["their name"].startswith(b"one") and wanted["my name"].endswith(b"six\n")
    assert "their new folder/mine" in wanted and "my new folder/theirs" in wanted
    assert steps > 60
    for step in range(start * 3, steps, 6):
        place = tmp_path / f"killed{step}"
        shutil.copytree(tmp_path / "template", place, symlinks=True)
        desk = reopened(place)
        with monkeypatch.context() as patch:
            dying_after(step, patch)
            with pytest.raises(Killed):
                desk.run()
        desk.here.close()
        desk = reopened(place)
        desk.run()
        check(desk, wanted)
        desk.here.close()


def test_what_is_deleted_while_their_commit_waits_is_deleted_though_they_never_had_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    fill(desk.folder, {"a": "1", "b": "1"})
    desk.local.take_up(EVERYTHING)
    theirs = desk.theirs({"b": "theirs"})
    fill(desk.folder, {"new": "n", "a": "2"})
    desk.local.take_up(EVERYTHING)
    (desk.folder / "new").unlink()
    fill(desk.folder, {"a": "1"})
    desk.local.take_up(EVERYTHING)
    desk.local.take_in(theirs)
    check(desk, {"a": b"1", "b": b"theirs"})
    desk.here.close()


def test_what_both_delete_is_gone_though_i_had_published_an_edit_of_it(tmp_path: Path) -> None:
    """The last commits hold an edit against a deletion, so the file stays; but the person deleted it since."""
    desk = Desk(tmp_path)
    fill(desk.folder, {"a": "1", "b": "1"})
    desk.local.take_up(EVERYTHING)
    theirs = desk.theirs({"a": None})
    fill(desk.folder, {"a": "2"})
    desk.local.take_up(EVERYTHING)
    (desk.folder / "a").unlink()
    desk.local.take_up(EVERYTHING)
    desk.local.take_in(theirs)
    check(desk, {"b": b"1"})
    desk.here.close()


def reopened(place: Path) -> Desk:
    desk = Desk.__new__(Desk)
    desk.place, desk.folder = place, place / "folder"
    desk.open()
    return desk


DAEMON = """
import asyncio, logging, pathlib, sys
from syncd.publisher.folder_sync import Timing
from syncd.publisher.service import run_publisher
logging.basicConfig()
asyncio.run(run_publisher(pathlib.Path(sys.argv[1]), timing=Timing(quiet_s=0.05, poll_s=0.3)))
"""


async def test_kill_9_at_random_moments_loses_nothing(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    """The person saves, a colleague pushes, the daemon is killed all the time: in the end all is on the remote."""
    random_ = random.Random(11)
    fill(folder, {f"{n}.txt": "".join(f"line {i}\n" for i in range(20)) for n in range(8)})
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    log = open(tmp_path / "daemon.log", "wb")  # noqa: ASYNC230, SIM115
    written: set[bytes] = set()

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(sys.executable, "-c", DAEMON, str(state), stderr=log)

    def save(n: int) -> None:
        name = f"{random_.randrange(8)}.txt"
        path = folder / name
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        lines.insert(random_.randrange(len(lines) + 1), f"mine {n}\n")
        aside = folder / ".~lock.save"
        aside.write_text("".join(lines))
        os.replace(aside, path)
        fill(folder, {f"mine/{n}": f"new of mine {n}"})
        written.add(f"new of mine {n}".encode())

    def push(n: int) -> None:
        try:
            colleague.push({f"theirs/{n}": f"new of theirs {n}", f"{n % 8}.txt": f"theirs {n}\n"})
        except subprocess.CalledProcessError:
            git(colleague.place, "rebase", "--abort") if (colleague.place / ".git/rebase-merge").exists() else None
            git(colleague.place, "fetch", "-q", "origin")
            git(colleague.place, "reset", "-q", "--hard", "origin/main")
            return
        written.add(f"new of theirs {n}".encode())

    try:
        for n in range(6):
            daemon = await start()
            until_ = time.monotonic() + random_.uniform(0.7, 1.4)
            i = 0
            while time.monotonic() < until_:
                await asyncio.to_thread(save, n * 100 + i)
                i += 1
                if random_.random() < 0.2:
                    await asyncio.to_thread(push, n * 100 + i)
                await asyncio.sleep(random_.uniform(0, 0.1))
            daemon.send_signal(signal.SIGKILL)
            await daemon.wait()
        daemon = await start()
        try:
            await until(
                lambda: course.files() == everything(folder),
                within=30,
                why=lambda: (set(course.files().items()) ^ set(everything(folder).items()), log.name),
            )
        finally:
            daemon.kill()
            await daemon.wait()
    finally:
        log.close()
    assert written <= course.all_contents()
    assert not list(folder.rglob(".~syncd-*"))
    text = b"\n".join(course.all_contents()).decode()
    mine = {content.decode().rpartition(" ")[2] for content in written if b"mine" in content}
    assert all(f"mine {n}\n" in text for n in mine)
    git(course.path, "fsck", "--strict")
