"""What lies in a folder that this person publishes, and its past: asked of the publisher, or read while none runs."""

import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from syncd.cli.publisher_client import NotRunning, ask_publisher
from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser
from syncd.core.progress import Progress, Told
from syncd.publisher import past
from syncd.publisher.alone import alone
from syncd.publisher.local import Local
from syncd.publisher.registry import Folder, Registry

_LOOK_S = 0.3
_RESTORE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Published:
    """A path in a folder that this person publishes; '' is the folder itself."""

    folder: Folder
    path: str


def where_we_are(state: Path) -> Published | None:
    """Where the current folder lies; else the only folder that there is."""
    if place := published(state, Path()):
        return place
    folders = Registry(state).folders()
    return Published(folders[0], "") if len(folders) == 1 else None


def published(state: Path, path: Path) -> Published | None:
    """Where a path lies; it need not be there any more.  None: in no folder of this person."""
    if not (state / "folders.json").exists():
        return None
    absolute = path.expanduser().absolute()
    real = absolute.parent.resolve() / absolute.name if absolute.name else absolute
    for folder in Registry(state).folders():
        for candidate in (real, absolute.resolve()):
            if candidate == folder.path or folder.path in candidate.parents:
                inside = candidate.relative_to(folder.path).as_posix()
                return Published(folder, "" if inside == "." else inside)
    return None


def log_of(state: Path, place: Published, limit: int) -> list[dict[str, Any]]:
    """What was done there, newest first."""
    query = urllib.parse.urlencode({"path": place.path, "limit": limit}, errors="surrogateescape")
    try:
        found: list[dict[str, Any]] = ask_publisher(state, "GET", f"/v1/folders/{place.folder.id}/log?{query}")["log"]
    except NotRunning:
        with alone(state, place.folder) as here:
            found = [asdict(each) for each in past.log(here, RelPath(place.path) or None, limit)]
    return found


def versions_of(state: Path, place: Published) -> list[dict[str, Any]]:
    """What the path was before, newest first."""
    query = urllib.parse.urlencode({"path": place.path}, errors="surrogateescape")
    asked = f"/v1/folders/{place.folder.id}/versions?{query}"
    try:
        found: list[dict[str, Any]] = ask_publisher(state, "GET", asked)["versions"]
    except NotRunning:
        with alone(state, place.folder) as here:
            found = [asdict(each) for each in past.versions(here, RelPath(place.path))]
    return found


def restore(state: Path, place: Published, version: str | None, told: Told) -> str:
    """See `syncd.publisher.past.restore`."""
    body = {"path": place.path, "version": version}
    id = place.folder.id
    with _watching(state, id, told):
        try:
            answer = ask_publisher(state, "POST", f"/v1/folders/{id}/restore", body, within_s=_RESTORE_S)
        except NotRunning:
            pass
        else:
            return str(answer["sentence"])
    with alone(state, place.folder) as here:
        return past.restore(here, Local(here), RelPath(place.path) or None, version, told)


@contextmanager
def _watching(state: Path, id: str, told: Told) -> Iterator[None]:
    """Tells how far the publisher has come with what it was asked, until that is answered."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_S):
            try:
                folders = ask_publisher(state, "GET", "/v1/status")["folders"]
            except NeedsUser:  # the request itself says why
                return
            for folder in folders:
                if folder["id"] == id and folder.get("restoring"):
                    told(Progress(**folder["restoring"]))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(1.0)
