"""The state folder: who may read it, what lies in it, and that no token got out of it."""

import os
import re
import stat
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from syncd.core.errors import SyncError
from syncd.doctor.finding import Finding, good, note, problem, warning
from syncd.doctor.place import Here
from syncd.publisher.credentials import Credentials
from syncd.publisher.settings import Settings

_ASIDE = re.compile(r"\..+\.(\d+)")
_LARGEST = 4 << 20


def rights(at: Here) -> Iterator[Finding]:
    """Only its owner may read it."""
    if not at.state.exists():
        yield note("Nothing is set up yet; begin with: syncd add FOLDER REMOTE")
        return
    if sys.platform == "win32":
        return
    bad = False
    for path in [at.state, *sorted(at.state.glob("*.json"))]:
        found = path.lstat()
        if found.st_uid != os.geteuid():
            bad = True
            yield problem(f"{path} belongs to another user; use Synced Folders as that one, or give it to yourself.")
        elif found.st_mode & 0o077 and not stat.S_ISLNK(found.st_mode):
            bad = True
            mode = 0o700 if path.is_dir() else 0o600
            yield problem(
                f"{path} may be read by others; forbid that: chmod {mode:o} {path}", partial(_shut, path, mode)
            )
    if not os.access(at.state, os.R_OK | os.W_OK | os.X_OK):
        bad = True
        yield problem(f"{at.state} can't be read and written; give yourself the right to: chmod u+rwx {at.state}")
    if not bad:
        yield good(f"Only you may read {at.state}.")


def files(at: Here) -> Iterator[Finding]:
    """What we keep there can be read, and nothing is left over."""
    if at.unread:
        yield problem(at.unread)
    elif at.state.exists():
        yield good(f"The list of folders can be read ({len(at.folders)} of them).")
    if not at.state.exists():
        return
    for read in (lambda: Settings(at.state).all(), lambda: Credentials(at.state).known()):
        try:
            read()
        except SyncError as error:
            yield problem(str(error))
    for path in sorted(at.state.glob(".*.*")):
        match = _ASIDE.fullmatch(path.name)
        if match and not _lives(int(match[1])):
            yield warning(f"{path} was left by a process that was killed; it may be removed.", partial(_remove, path))


def secrets(at: Here) -> Iterator[Finding]:
    """Invariant 7: a token is where it belongs and nowhere else."""
    for folder in at.folders:
        if re.match(r"https?://[^/]*@", folder.remote):
            yield problem(f"The address of {folder.path} holds a name or token; remove and add the folder without it.")
    tokens = _tokens(at)
    if not tokens:
        return
    told = False
    for path in _texts(at.state):
        content = path.read_bytes()
        if any(token in content for token in tokens):
            told = True
            yield problem(f"{path} holds a token in plain text; remove that file, and make a new token.")
    for process, what in _processes():
        if any(token in what for token in tokens):
            told = True
            yield problem(
                f"Process {process} shows a token in its arguments or environment; end it, make a new token, and "
                "give it by `syncd login`."
            )
    if not told:
        yield good("No token lies in an address, a log, an argument or an environment.")


def _tokens(at: Here) -> set[bytes]:
    if not at.state.exists():
        return set()
    found = set()
    for folder in at.folders:
        try:
            token = Credentials(at.state).token(folder.remote)
        except SyncError:
            continue  # the check of the remote says so
        if token and len(token) >= 8:
            found.add(token.rpartition(":")[2].encode())
    return found


def _texts(state: Path) -> Iterator[Path]:
    for path in sorted(state.rglob("*")):
        if "objects" in path.parts or path.name == "tokens.json" or path.is_symlink() or not path.is_file():
            continue
        if path.stat().st_size <= _LARGEST:
            yield path


def _processes() -> Iterator[tuple[int, bytes]]:
    """What this user's processes of ours (on Linux) have as arguments and environment."""
    for path in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        try:
            if path.stat().st_uid == os.geteuid() and b"syncd" in (arguments := (path / "cmdline").read_bytes()):
                yield int(path.name), arguments + (path / "environ").read_bytes()
        except OSError:
            continue  # it ended


def _lives(process: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _shut(path: Path, mode: int) -> str:
    path.chmod(mode)
    return f"Nobody else may read {path} any more."


def _remove(path: Path) -> str:
    path.unlink(missing_ok=True)
    return f"{path} is removed."
