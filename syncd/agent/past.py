"""What a student had before a merge or a restore: listed, and put back by the student's own hand.

The file is written like any program would write it, so it counts as the student's edit.
"""

import os
import secrets
import time
from pathlib import Path

from syncd.core.entry import Mode, RelPath
from syncd.core.errors import NeedsUser
from syncd.versions import Version, Versions


def versions_of(state: Path, course: str) -> Versions:
    """The versions store of one course of an agent."""
    return Versions(state / "courses" / course / "versions")


def put_back(store: Versions, file: Path, path: RelPath, version: str) -> str:
    """Write a kept version (an id or its beginning) to `file`; what is there is kept first.  A sentence.

    NeedsUser if there is no such version.
    """
    found: dict[str, Version] = {each.id: each for each in store.list(path) if each.id.startswith(version.lower())}
    if len(found) != 1 or len(version) < 4:
        raise NeedsUser(f"“{path}” has no single version {version}; `syncd versions PATH` lists them.")
    (chosen,) = found.values()
    content = store.read(chosen.id)
    if file.is_dir() and not file.is_symlink():
        raise NeedsUser(f"{file} is a folder now; move it away and restore the file again.")
    if os.path.lexists(file):
        mode = Mode.SYMLINK if file.is_symlink() else Mode.EXECUTABLE if os.access(file, os.X_OK) else Mode.FILE
        now = os.fsencode(os.readlink(file)) if mode is Mode.SYMLINK else file.read_bytes()
        store.keep(path, now, "replaced by an earlier version", time.time(), mode)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".~{secrets.token_hex(6)}")
    if chosen.mode is Mode.SYMLINK:
        os.symlink(os.fsdecode(content), aside)
    else:
        with open(aside, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        aside.chmod(0o755 if chosen.mode is Mode.EXECUTABLE else 0o644)
    os.replace(aside, file)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(chosen.when))
    return f"{path} is as it was at {when}; what it replaced is kept."
