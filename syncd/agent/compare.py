"""What a student's folder has that is not just the instructor's: merged, put beside, edited; for pages that show it.

All blocking, on the folder's own thread.  What is handed out is text; what is no text, or too much of it, is left out.
"""

import os
from collections.abc import Mapping
from typing import Any

from syncd.blobs import Snapshot
from syncd.core.beside import INSTRUCTORS_VERSION, MY_COPY
from syncd.core.entry import Mode, RelPath
from syncd.core.errors import NeedsUser
from syncd.versions import Versions
from syncd.view import Mine, View

_MOST = 200
_LONGEST = 1_000_000  # bytes; what is longer is nothing to read side by side
_TOO_LONG = b"\0"  # stands for content that is not read
_LABELS = (f" ({MY_COPY} ", f" ({INSTRUCTORS_VERSION} ")


def listed(view: View, versions: Versions) -> dict[str, Any]:
    """The files that differ from the instructor's, and the newest versions that updates replaced."""
    mine = view.observe()
    return {
        "edited": [{"path": path, "what": _what(one), "beside": original(path)} for path, one in sorted(mine.items())][
            :_MOST
        ],
        "kept": [
            {"path": each.path, "version": each.id, "when": each.when, "reason": each.reason}
            for each in versions.list()[:_MOST]
        ],
    }


def compared(view: View, snapshot: Snapshot, versions: Versions, path: RelPath, version: str) -> dict[str, Any]:
    """The texts of a file: `before` (a kept version, or the instructor's), and `now`.

    What is put beside another file is compared with that one.  None: nothing is there, or nothing readable; `unread`
    says which.  NeedsUser if there is no such version.
    """
    if version:
        kept = next((each for each in versions.list(path) if each.id == version), None)
        if kept is None:
            raise NeedsUser(f"There is no such earlier version of “{path}”; open the list of changes again.")
        before: bytes | None = versions.read(kept.id) if kept.size <= _LONGEST else _TOO_LONG
    else:
        before = _instructors(snapshot, original(path) or path)
    unread: list[str] = []
    return {
        "path": path,
        "before": _readable(before, "before", unread),
        "now": _readable(_now(view, snapshot, path), "now", unread),
        "unread": unread,
    }


def original(path: RelPath) -> RelPath | None:
    """The file that a copy was put beside, by its name; None if it is none."""
    for label in _LABELS:
        start, found, rest = path.partition(label)
        if found and ")" in rest and "/" not in rest:
            tail = rest.rpartition(")")[2]
            _, dot, extension = tail.rpartition(".")
            return RelPath(start + (dot + extension if dot else ""))
    return None


def _what(mine: Mine) -> str:
    if mine.change.now is None:
        return "deleted"
    return "added" if mine.change.base is None else "edited"


def _instructors(snapshot: Snapshot, path: RelPath) -> bytes | None:
    entry = snapshot.manifest.entry(path)
    if entry is None or entry.mode is Mode.SYMLINK:
        return None
    blob = snapshot.blobs.path(entry.blob)
    return blob.read_bytes() if blob.stat().st_size <= _LONGEST else _TOO_LONG


def _now(view: View, snapshot: Snapshot, path: RelPath) -> bytes | None:
    mine: Mapping[RelPath, Mine] = view.observe()
    change = mine.get(path)
    if change is None:
        return _instructors(snapshot, path)
    try:
        if change.change.now is None:
            return None
        return view.content(path) if os.lstat(view.root / path).st_size <= _LONGEST else _TOO_LONG
    except FileNotFoundError:
        return None


def _readable(content: bytes | None, name: str, unread: list[str]) -> str | None:
    if content is None:
        return None
    if len(content) <= _LONGEST and b"\0" not in content:
        try:
            return content.decode()
        except UnicodeDecodeError:
            pass
    unread.append(name)
    return None
