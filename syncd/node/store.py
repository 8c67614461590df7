"""A node's store on disk: who may write it, where things lie, what is ready, and putting it right at start."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from syncd.blobs import BlobFolder
from syncd.core.entry import BlobId, CommitId
from syncd.core.errors import NeedsUser, Stop
from syncd.git.mirror import sweep
from syncd.manifest import Manifest
from syncd.node import versions_seen
from syncd.node.client import Ready, doors_beside
from syncd.node.durable import write_durably
from syncd.node.fill import id_of
from syncd.node.gate import Gate
from syncd.node.shown import RULES, LeftOut
from syncd.node.versions_seen import Seen


@dataclass(frozen=True, slots=True)
class Kept:
    """A commit that is ready, with what else is remembered of it."""

    ready: Ready
    left_out: tuple[LeftOut, ...]
    rules: int
    seen: tuple[Seen, ...] = ()
    """The last versions that came, newest first."""

    @property
    def reusable(self) -> bool:
        """Whether folders may be taken over from its manifest."""
        return self.rules == RULES


class Store:
    """The store of one node.  Held by one process at a time; readers need no lock.

        node.sock                        questions; who asks is told by the kernel
        doors.sock                       hands out `content` folders, as descriptors
        blobs/                           0700: all blobs of this node
        courses/                         0700: nobody else gets past it by a path
        courses/NAME/mirror.git
        courses/NAME/content/manifests/  what a member of the course reads, through a descriptor only
        courses/NAME/content/blobs/      hard links into blobs/: courses share disk and page cache

    With the descriptor of `content` its holder gets down into it; up again leads to a folder that is closed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.blobs = BlobFolder(self.root / "blobs")
        self.incoming = self.root / "incoming"
        self.socket = self.root / "node.sock"
        self.pins = self.root / "pins.json"
        self.gate = Gate()
        self.doors = doors_beside(self.socket)
        self._lock: int | None = None
        self.was_killed = False
        """Whether the service before us did not end by itself: what it wrote last is looked at closely."""

    def __enter__(self) -> Self:
        """Take the store.  Stop if another process has it, NeedsUser if it can't be written."""
        try:
            for folder in (self.root, self.blobs.root, self.incoming, self.root / "courses"):
                folder.mkdir(parents=True, exist_ok=True)
            for closed in (self.blobs.root, self.incoming, self.root / "courses", *(self.root / "courses").iterdir()):
                closed.chmod(0o700)
            lock = os.open(self.root / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise NeedsUser(
                f"The store {self.root} can't be written ({error.strerror}): check path and rights."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise Stop(f"Another node service (process {holder}) already serves {self.root}: this one ends.") from error
        self.was_killed = os.fstat(lock).st_size > 0
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock
        self._sweep()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self.socket.unlink(missing_ok=True)
            self.doors.unlink(missing_ok=True)
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def mirror(self, course: str) -> Path:
        """Where a course's bare repository lies."""
        return self._course(course) / "mirror.git"

    def begin(self, course: str) -> None:
        """Make a course's folders, if they are not there."""
        self._course(course).mkdir(exist_ok=True)
        self._course(course).chmod(0o700)
        for folder in ("", "manifests", "blobs"):
            (self.content(course) / folder).mkdir(exist_ok=True)
            (self.content(course) / folder).chmod(0o755)

    def content(self, course: str) -> Path:
        """What members of a course may read, whole."""
        return self._course(course) / "content"

    def course_blobs(self, course: str) -> BlobFolder:
        """A course's own blobs: who may read one may read all."""
        return BlobFolder(self.content(course) / "blobs")

    def manifest(self, course: str, commit: CommitId) -> Path:
        """Where the manifest of a commit lies, whether or not it is there yet."""
        return self.content(course) / "manifests" / commit

    def courses(self) -> list[str]:
        """All courses that have a place here, followed or not."""
        return sorted(each.name for each in (self.root / "courses").iterdir() if each.is_dir())

    def manifests(self, course: str) -> list[Path]:
        """The manifests of a course, in no order."""
        folder = self.content(course) / "manifests"
        return [each for each in folder.iterdir() if not each.name.startswith(".")] if folder.is_dir() else []

    def ready_commit(self, course: str) -> CommitId | None:
        """The commit that was published last, whether or not its contents are all there."""
        try:
            return CommitId(str(json.loads((self._course(course) / "ready.json").read_bytes())["commit"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def publish(
        self, course: str, commit: CommitId, ready_at: float, left_out: list[LeftOut], seen: Sequence[Seen] = ()
    ) -> Kept:
        """Make a commit the ready one, atomically and durably; its blobs and manifest are so already."""
        said = {
            "commit": commit,
            "ready_at": ready_at,
            "rules": RULES,
            "left_out": [[one.path, one.why] for one in left_out],
            "seen": versions_seen.said(seen),
        }
        write_durably(self._course(course) / "ready.json", json.dumps(said).encode())
        return self._kept(course, said)

    def ready(self, course: str) -> Kept | None:
        """What is ready; None if nothing is, or if what is there can't be trusted and must be made again."""
        try:
            with open(self._course(course) / "ready.json", "rb") as source:
                kept = self._kept(course, json.load(source))
            manifest = Manifest(kept.ready.manifest)
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None
        return kept if manifest.commit == kept.ready.commit and self._holds(course, manifest) else None

    def mend(self, course: str, progress: Callable[[int], None] = lambda checked: None) -> list[BlobId]:
        """Read every content of the ready commit and compare it with its id; the wrong ones, which are removed.

        Whoever has the store then prepares the commit again.  Slow: as long as reading it all takes.
        """
        commit = self.ready_commit(course)
        wrong = []
        try:
            manifest = Manifest(self.manifest(course, commit)) if commit else None
        except (OSError, ValueError):
            manifest = None  # `ready` tells the same, and the commit is prepared again
        files = [record for _, record in manifest.files()] if manifest else []
        for checked, record in enumerate({record.id: record for record in files}.values()):
            progress(checked)
            place = self.course_blobs(course).path(record.blob)
            try:
                if id_of(place)[0] != record.id:
                    place.unlink()
                    self.blobs.path(record.blob).unlink(missing_ok=True)
                    wrong.append(record.blob)
            except FileNotFoundError:
                wrong.append(record.blob)
        return wrong

    def _holds(self, course: str, manifest: Manifest) -> bool:
        """Whether every blob is there in the right size; a wrong one is removed, so that it is made again."""
        whole, blobs = True, self.course_blobs(course)
        for _, record in manifest.files():
            blob = BlobId(record.id.hex())
            place = blobs.path(blob)
            try:
                right = os.stat(place).st_size == record.size
            except FileNotFoundError:
                whole = False
                continue
            if not right:
                place.unlink()
                self.blobs.path(blob).unlink(missing_ok=True)
                whole = False
        return whole

    def _kept(self, course: str, said: dict[str, Any]) -> Kept:
        commit = CommitId(str(said["commit"]))
        ready = Ready(commit, self.manifest(course, commit), self.course_blobs(course).root, float(said["ready_at"]))
        left_out = tuple(LeftOut(path, why) for path, why in said["left_out"])
        return Kept(ready, left_out, int(said["rules"]), versions_seen.read(said.get("seen")))

    def _course(self, course: str) -> Path:
        return self.root / "courses" / course

    def _sweep(self) -> None:
        """Remove what a killed service left half-done."""
        for leftover in self.incoming.iterdir():
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()
        for course in (self.root / "courses").iterdir():
            if (course / "mirror.git").is_dir():
                sweep(course / "mirror.git")
            for aside in (*course.glob(".*"), *course.glob("content/manifests/.*")):
                aside.unlink()
