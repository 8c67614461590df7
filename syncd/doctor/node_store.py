"""A node's store: who has it, and whether all is in it that students' folders stand on."""

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from syncd.core.entry import BlobId, CommitId
from syncd.core.errors import SyncError
from syncd.doctor.finding import Finding, good, note, problem, warning
from syncd.doctor.node_place import NodeHere, acting_as_owner
from syncd.git.mirror import Mirror, broken_packs, discard, leftovers
from syncd.manifest import Manifest
from syncd.node.fill import RESERVE, id_of
from syncd.node.store import Store

_WISHED = 1 << 30
_CLOSED = ("blobs", "incoming", "courses", "courses/*")


def place(at: NodeHere) -> Iterator[Finding]:
    """The folder, its rights, and the room on its disk."""
    try:
        facts = os.statvfs(at.store)
        owner = at.store.stat()
    except OSError as error:
        yield problem(
            f"The store {at.store} can't be reached ({error.strerror}): start the service, or check its disk."
        )
        return
    for pattern in _CLOSED:
        for folder in sorted(at.store.glob(pattern)):
            mode = stat.S_IMODE(folder.stat().st_mode)
            if folder.is_dir() and mode & 0o077:
                yield problem(f"{folder} is open to others: chmod 700 {folder}", partial(_close, folder))
            if folder.stat().st_uid != owner.st_uid:
                yield problem(f"{folder} is not the service's: chown -R --reference={at.store} {folder}")
    free = facts.f_bavail * facts.f_frsize
    words = f"{free / 1e6:,.0f} MB are free on the disk of {at.store}"
    if facts.f_flag & os.ST_RDONLY:
        yield problem(f"The disk of {at.store} is read-only: make it writable again.")
    elif free < RESERVE or 0 < facts.f_favail < 1_000:
        yield problem(f"Only {words}, or few files more fit on it: nothing new is made ready until there is room.")
    elif free < _WISHED:
        yield warning(f"Only {words}: make some room, or run `syncd node collect`.")
    else:
        yield good(f"{words}.")


def service(at: NodeHere) -> Iterator[Finding]:
    """That one service has the store, and answers."""
    holder = at.holder()
    if at.status is not None:
        yield good(f"The service answers (process {holder or 'unknown'}).")
    elif holder is not None:
        yield problem(f"Process {holder} has the store but does not answer: systemctl restart syncd-node")
    else:
        yield problem("The node's service does not run: systemctl start syncd-node")
        for name in ("node.sock", "doors.sock"):
            if (at.store / name).exists():
                yield warning(
                    f"{at.store / name} was left by a service that was killed.", partial(_remove, at, at.store / name)
                )


def courses(at: NodeHere) -> Iterator[Finding]:
    """What the service says of its courses."""
    if at.status is None:
        return
    told = {each["name"]: each for each in at.status["courses"]}
    for name, report in told.items():
        words = f"{name}: {report['sentence']}"
        level = {"up_to_date": good, "starting": note, "offline": warning}.get(report["state"], problem)
        yield level(words)
    for course in at.courses:
        if course.name not in told:
            yield problem(
                f"{course.name} is in the settings, but the service does not keep it: systemctl reload syncd-node"
            )


def mirrors(at: NodeHere) -> Iterator[Finding]:
    """Each mirror can be read, and holds no leftovers.  A running service's fetch has some of its own."""
    store = Store(at.store)
    for name in _kept(store):
        path = store.mirror(name)
        if not path.is_dir():
            continue
        left = [] if at.runs else leftovers(path)
        if left:
            yield warning(f"{name}: {len(left)} leftovers of killed work lie in {path}.", partial(_sweep, at, left))
        why = _unsound(at, name, path)
        if why is None:
            yield good(f"{name}: its mirror can be read.")
        elif at.runs:
            yield problem(f"{name}: {why} It is fetched anew after: systemctl restart syncd-node")
        else:
            yield problem(f"{name}: {why} Remove {path}; it is fetched anew.", partial(_discard, at, path))


def _unsound(at: NodeHere, name: str, path: Path) -> str | None:
    if at.deep and (broken := broken_packs(path)):
        return f"{broken[0].name} in its mirror is damaged."
    branches = {course.branch for course in at.courses if course.name == name and course.branch}
    branches |= {
        each["branch"] for each in (at.status or {}).get("courses", ()) if each["name"] == name and each["branch"]
    }
    if not (path / "HEAD").exists():
        return "Its mirror is no repository."  # opening it would make one
    try:
        with acting_as_owner(path):
            mirror = Mirror(path)
            for branch in branches:
                if (tip := mirror.tip(branch)) is not None:
                    mirror.tree(mirror.commit(tip).tree)
    except SyncError as error:
        return str(error)
    return None


def versions(at: NodeHere) -> Iterator[Finding]:
    """What is ready is complete; with `deep` every content is what its id says."""
    store = Store(at.store)
    for name in _kept(store):
        commit = store.ready_commit(name)
        if commit is None:
            yield note(f"{name}: nothing is ready yet.")
            continue
        try:
            manifest = Manifest(store.manifest(name, commit))
        except (OSError, ValueError):
            yield problem(
                f"{name}: the list of files of its ready version is damaged; it is made again after: "
                "systemctl restart syncd-node"
            )
            continue
        yield _contents(at, store, name, manifest)


def _contents(at: NodeHere, store: Store, name: str, manifest: Manifest) -> Finding:
    damaged, missing = _wrong_contents(at, store, name, manifest)
    wrong = len(damaged) + len(missing)
    if not wrong:
        words = "every content is what its id says" if at.deep else "every content is there in its size"
        return good(f"{name}: {words} ({manifest.count_files():,} files).")
    if at.ask_to_mend is not None and at.runs:
        return problem(
            f"{name}: {wrong} contents are damaged or missing: syncd node mend", partial(_ask, at.ask_to_mend, name)
        )
    if damaged:
        return problem(
            f"{name}: {wrong} contents are damaged or missing; the damaged ones must go, then the next start makes "
            "them again.",
            partial(_unlink, at, store, name, damaged),
        )
    return warning(f"{name}: {wrong} contents are not there; the next start makes them again.")


def _wrong_contents(at: NodeHere, store: Store, name: str, manifest: Manifest) -> tuple[list[BlobId], list[BlobId]]:
    """What is there and wrong, and what is not there."""
    blobs = store.course_blobs(name)
    damaged, missing = list[BlobId](), list[BlobId]()
    for oid, size in {record.id: record.size for _, record in manifest.files()}.items():
        blob = BlobId(oid.hex())
        try:
            whole = id_of(blobs.path(blob)) == (oid, size) if at.deep else blobs.path(blob).stat().st_size == size
        except FileNotFoundError:
            missing.append(blob)
            continue
        except OSError:
            whole = False
        if not whole:
            damaged.append(blob)
    return damaged, missing


def pins(at: NodeHere) -> Iterator[Finding]:
    """What folders stand on is known, and is there."""
    store = Store(at.store)
    for name in _kept(store):
        for path in store.manifests(name):
            try:
                Manifest(path)
            except (OSError, ValueError):
                if path.name != store.ready_commit(name):
                    yield problem(
                        f"{path} is damaged, so nothing is collected: remove it.",
                        None if at.runs else partial(_remove, at, path),
                    )
    try:
        said = json.loads(store.pins.read_bytes())["views"]
        stood = {(str(course), CommitId(str(each))) for _, _, course, commits, _ in said for each in commits[-1:]}
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError):
        yield problem(
            f"{store.pins} is damaged: nothing is collected for a week, while all folders report again.",
            None if at.runs else partial(_remove, at, store.pins),
        )
        return
    gone = [
        f"{course} {commit[:10]}" for course, commit in sorted(stood) if not store.manifest(course, commit).exists()
    ]
    if gone:
        yield warning(
            f"Folders stand on versions that the store no longer has ({', '.join(gone[:3])}): they go on, but can't "
            "merge; their students restore the files they miss."
        )
    else:
        yield good(f"Every version that one of {len(said)} folders stands on is there.")


def _kept(store: Store) -> list[str]:
    return store.courses() if (store.root / "courses").is_dir() else []


def _close(folder: Path) -> str:
    folder.chmod(0o700)
    return f"{folder} is closed to others now."


def _remove(at: NodeHere, path: Path) -> str:
    with at.alone():
        path.unlink(missing_ok=True)
    return f"{path} is removed."


def _sweep(at: NodeHere, left: list[Path]) -> str:
    with at.alone():
        for path in left:
            path.unlink(missing_ok=True)
    return f"{len(left)} leftovers are removed."


def _discard(at: NodeHere, path: Path) -> str:
    with at.alone():
        discard(path)
    return f"{path} is removed; the next start fetches it anew."


def _ask(mend: Callable[[], Mapping[str, int]], name: str) -> str:
    return f"{name}: {mend().get(name, 0)} contents are being made again."


def _unlink(at: NodeHere, store: Store, name: str, wrong: list[BlobId]) -> str:
    with at.alone():
        for blob in wrong:
            store.course_blobs(name).path(blob).unlink(missing_ok=True)
            store.blobs.path(blob).unlink(missing_ok=True)
    return f"{name}: {len(wrong)} damaged contents are removed; the next start makes them again."
