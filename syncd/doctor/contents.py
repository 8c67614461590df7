"""The folder against its history: what the publisher should have taken up is taken up (invariants 1, 3, 4, 6, 8)."""

import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import SyncError
from syncd.core.progress import Progress
from syncd.doctor.finding import Finding, good, note, problem, warning
from syncd.doctor.place import Here
from syncd.git.commits import Author
from syncd.git.integrity import SPOILED
from syncd.publisher.look import Looked, look_everywhere
from syncd.publisher.registry import Folder
from syncd.publisher.words import files
from syncd.publisher.workspace import Workspace, bad_name

_NOBODY = Author("doctor", "doctor@localhost")  # who commits nothing
_AGAIN_S = 1.5
"""What was saved a moment ago gets this much time to be taken up."""
_NAMED = 3
_MARKERS = re.compile(rb"^<{7} .*?^>{7} ", re.M | re.S)
_LARGEST = 1 << 20


def contents(at: Here) -> Iterator[Finding]:
    """Every file is read; nothing that is remembered is trusted."""
    for folder in at.folders:
        if not folder.path.is_dir() or not (at.own(folder) / "history.git").exists():
            continue  # told elsewhere
        try:
            with _aside(at, folder) as here:
                yield from _compared(at, folder, here)
        except SyncError as error:
            yield problem(f"{folder.path} can't be compared with its history: {error}")
        except SPOILED:
            yield problem(f"{folder.path} can't be compared with its history, which is not whole.")


def _compared(at: Here, folder: Folder, here: Workspace) -> Iterator[Finding]:
    head, looked = _look(at, folder, here)
    total = sum(1 for _ in here.history.files(here.history.tree_id(head)))
    gone = [path for path, change in looked.edits.items() if change.now is None]
    report = (at.reports or {}).get(folder.id)
    if total and len(gone) == total:
        yield problem(
            f"{folder.path} is empty, and {files(total)} were in it: connect its disk again; "
            "if you meant it, say `syncd resume`. Nothing is deleted elsewhere."
        )
    elif not looked.edits:
        yield good(f"{folder.path} is just as its history says ({files(total)}).")
    elif report is not None and report["state"] == "up_to_date":
        yield problem(
            f"{files(len(looked.edits))} in {folder.path} {_were(looked.edits)} not taken up ({_named(looked.edits)}), "
            "though the publisher says that all is up to date: end it and start it again, which looks at everything."
        )
    else:
        yield note(
            f"{files(len(looked.edits))} in {folder.path} still {_are(looked.edits)} to be published "
            f"({_named(looked.edits)})."
        )
    if looked.half:
        yield warning(f"Not completely written yet, so not published: {_named(looked.half)} in {folder.path}.")
    for why in list(looked.left_out.values())[:_NAMED]:
        yield note(why.sentence)
    yield from _hostile(folder, here, head)
    yield from _spoiled(at, folder, here, head)


def _look(at: Here, folder: Folder, here: Workspace) -> tuple[CommitId | None, Looked]:
    """Twice, if the first time finds something: saves go on while we look."""
    with here:
        looked = look_everywhere(here)
        if not looked.edits or at.reports is None:
            return here.head, looked
        time.sleep(_AGAIN_S)
    with _aside(at, folder) as later, later:
        again = look_everywhere(later)
        again.edits = {path: change for path, change in again.edits.items() if looked.edits.get(path) == change}
        return later.head, again


def _hostile(folder: Folder, here: Workspace, head: CommitId | None) -> Iterator[Finding]:
    """Invariant 8."""
    bad = [path for path, _ in here.history.files(here.history.tree_id(head)) if bad_name(path)]
    if bad:
        yield note(
            f"{files(len(bad))} of the repository {_are(bad)} left out of {folder.path} for the name: {_named(bad)}."
        )


def _spoiled(at: Here, folder: Folder, here: Workspace, head: CommitId | None) -> Iterator[Finding]:
    """Invariant 3: no merge of ours writes markers, but somebody's git may have."""
    marked: list[RelPath] = []
    for number, (path, entry) in enumerate(here.history.files(here.history.tree_id(head))):
        at.told(Progress("Looking for markers of a merge", number, None, "files"))
        if not entry.is_link and here.history.size(entry.blob) <= _LARGEST:
            content = here.history.read(entry.blob)
            if b"<<<<<<< " in content and _MARKERS.search(content):
                marked.append(path)
    if marked:
        yield warning(
            f"{files(len(marked))} in {folder.path} {_are(marked)} left with the markers of a merge by git "
            f"({_named(marked)}): open them and keep what you want."
        )


@contextmanager
def _aside(at: Here, folder: Folder) -> Iterator[Workspace]:
    """A workspace beside the publisher's: it reads that one's history, and writes nothing of it."""
    own = at.own(folder)
    with tempfile.TemporaryDirectory(prefix="syncd-doctor-") as name:
        place = Path(name)
        for kept in own.iterdir():
            if not kept.name.startswith(("history.git", "files.sqlite")):
                (place / kept.name).symlink_to(kept)
        here = Workspace(folder.path, place, folder.branch, _NOBODY, subfolder=folder.subfolder)
        try:
            (place / "history.git/objects/info").mkdir(exist_ok=True)
            (place / "history.git/objects/info/alternates").write_text(f"{own / 'history.git/objects'}\n")
            for what in ("heads", "synced", "remotes/origin"):
                ref = own / "history.git/refs" / what / folder.branch
                if ref.exists():
                    target = place / "history.git/refs" / what / folder.branch
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(ref.read_bytes())
        except BaseException:
            here.close()
            raise
        here.close()
        here = Workspace(folder.path, place, folder.branch, _NOBODY, subfolder=folder.subfolder)
        here.history.told = at.told
        try:
            yield here
        finally:
            here.close()


def _are(paths: Sized) -> str:
    return "is" if len(paths) == 1 else "are"


def _were(paths: Sized) -> str:
    return "was" if len(paths) == 1 else "were"


def _named(paths: Iterable[str]) -> str:
    found = sorted(paths)
    shown = [f"“{''.join(c if c.isprintable() else '?' for c in path)}”" for path in found[:_NAMED]]
    return ", ".join(shown) + (" ..." if len(found) > _NAMED else "")
