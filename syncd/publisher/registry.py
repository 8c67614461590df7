"""Which folders are synced with what: `folders.json` in the state folder."""

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import platformdirs

from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser, Stop
from syncd.core.staff import Allowed
from syncd.publisher.state_file import locked, private_folder, write_private


@dataclass(frozen=True, slots=True)
class Students:
    """The branch that students follow, which may lie in another repository than the instructor's."""

    remote: str
    branch: str
    way: Literal["live", "release"] = "live"
    """`live`: every save goes there at once; `release`: only what is published."""


@dataclass(frozen=True, slots=True)
class Folder:
    """One synced folder.  `path` is absolute; `paused` is the person's own wish."""

    id: str
    path: Path
    remote: str
    branch: str
    paused: bool = False
    hub: str = ""
    """The address of the JupyterHub that the page's links for students lead to."""
    students: Students | None = None
    """None: students follow the folder's own branch."""
    subfolder: str = ""
    """The part of the repository that the folder is; '' for all of it."""
    allowed: tuple[Allowed, ...] = ()
    """What goes out although a guard would hold it."""


def state_folder() -> Path:
    """Where the publisher keeps its state: SYNCD_STATE, else the system's place for it."""
    given = os.environ.get("SYNCD_STATE")
    return Path(given) if given else platformdirs.user_state_path("synced-folders")


class Registry:
    """The list of folders; reads the file anew each time, so that command and daemon see the same."""

    def __init__(self, state: Path) -> None:
        self.state = private_folder(state)
        self._file = state / "folders.json"

    def folders(self) -> tuple[Folder, ...]:
        """All folders.  Stop if the file can't be read: guessing would forget somebody's folder."""
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            return tuple(_folder(each) for each in found["folders"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, KeyError) as problem:
            raise Stop(
                f"The list of folders {self._file} can't be read; restore it, or remove it and add the folders anew."
            ) from problem

    def stamp(self) -> int:
        """Changes whenever the list was written."""
        try:
            return self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def own(self, id: str) -> Path:
        """A folder's own place in the state folder."""
        return private_folder(self.state / "folders" / id)

    def new_id(self) -> str:
        """An id that no folder has."""
        return secrets.token_hex(6)

    def find(self, what: str) -> Folder:
        """A folder by its id or path.  NeedsUser if there is none."""
        path = Path(what).expanduser().resolve()
        for folder in self.folders():
            if folder.id == what or folder.path == path:
                return folder
        raise NeedsUser(f"{what} is not a synced folder; `syncd status` lists them.")

    def add(self, folder: Folder) -> None:
        """Add a folder at the end."""
        self._change(lambda folders: (*folders, folder))

    def remove(self, id: str) -> None:
        """Forget a folder; its history stays until somebody removes `own(id)`."""
        self._change(lambda folders: tuple(each for each in folders if each.id != id))

    def pause(self, id: str, paused: bool) -> None:
        """Note the person's wish."""
        self._change(lambda folders: tuple(replace(each, paused=paused) if each.id == id else each for each in folders))

    def hub(self, id: str) -> str:
        """The address of a folder's hub; '' if none was given."""
        return next((each.hub for each in self.folders() if each.id == id), "")

    def set_hub(self, id: str, hub: str) -> None:
        """Keep the address of a folder's hub."""
        self._change(lambda folders: tuple(replace(each, hub=hub) if each.id == id else each for each in folders))

    def set_students(self, id: str, students: Students | None) -> None:
        """Note which branch students follow."""
        self._change(
            lambda folders: tuple(replace(each, students=students) if each.id == id else each for each in folders)
        )

    def allow(self, id: str, what: Allowed, allowed: bool = True) -> tuple[Allowed, ...]:
        """Note that a guard does not hold for a path, or holds again; all that is allowed now."""
        now: list[tuple[Allowed, ...]] = [()]

        def edit(folder: Folder) -> Folder:
            if folder.id != id:
                return folder
            now[0] = tuple(each for each in folder.allowed if each != what) + ((what,) if allowed else ())
            return replace(folder, allowed=now[0])

        self._change(lambda folders: tuple(map(edit, folders)))
        return now[0]

    def _change(self, edit: Callable[[tuple[Folder, ...]], tuple[Folder, ...]]) -> None:
        with locked(self.state / "folders.lock"):
            folders = [{**asdict(each), "path": str(each.path)} for each in edit(self.folders())]
            write_private(self._file, json.dumps({"folders": folders}, indent=1))


def _folder(noted: dict[str, Any]) -> Folder:
    students = noted.get("students")
    allowed = tuple(Allowed(RelPath(each["path"]), each["guard"]) for each in noted.get("allowed", ()))
    return Folder(
        **{
            **noted,
            "path": Path(noted["path"]),
            "students": Students(**students) if students else None,
            "allowed": allowed,
        }
    )
