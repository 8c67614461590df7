"""Accounts that exist in here only: all of this is called by root in a mount namespace of its own (`unshare -m`).

Nothing of it is to be seen outside, and all mounts go with the namespace's last process.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

_FORMS = {
    "passwd": "{name}:x:{number}:{number}::{home}:/bin/bash",
    "group": "{name}:x:{number}:",
    "shadow": "{name}:!:1::::::",
}


def let_everybody_reach(paths: Iterable[Path]) -> None:
    """Let all accounts pass the folders above these paths that only their owner may enter, such as /root."""
    for path in paths:
        whole = path.resolve()
        for above in (*reversed(whole.parents), whole):
            if not above.stat().st_mode & 0o001:
                _open_up(above)


def add_accounts(folder: Path, accounts: Mapping[str, tuple[int, Path]]) -> None:
    """Add accounts (name to number and home) to what this namespace sees of /etc; `folder` keeps the copies."""
    for file, form in _FORMS.items():
        copy = folder / file
        shutil.copy(f"/etc/{file}", copy)
        lines = [line for line in copy.read_text().splitlines() if line.partition(":")[0] not in accounts]
        lines += [form.format(name=name, number=number, home=home) for name, (number, home) in accounts.items()]
        copy.write_text("\n".join(lines) + "\n")
        _mount("--bind", copy, f"/etc/{file}")


def let_everybody_mount(folder: Path) -> None:
    """Debian's /dev/fuse is open to all; a container's often is not."""
    if os.path.exists("/dev/fuse") and not os.stat("/dev/fuse").st_mode & 0o002:
        device = folder / "fuse"
        try:
            os.mknod(device, 0o20666, os.makedev(10, 229))
        except PermissionError:
            return  # then folders are plain ones
        device.chmod(0o666)
        _mount("--bind", device, "/dev/fuse")


def _open_up(closed: Path) -> None:
    """Put an open folder in the place of a closed one, with all that is in it."""
    inside = os.open(closed, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", closed)
        for entry in os.scandir(inside):
            place = closed / entry.name
            if entry.is_symlink():
                place.symlink_to(os.readlink(entry.name, dir_fd=inside))
                continue
            place.mkdir() if entry.is_dir() else place.touch()
            # The name of the folder leads to the new one already; the descriptor still to the old one.
            _mount("--no-canonicalize", "--rbind", f"/proc/self/fd/{inside}/{entry.name}", place, keep=inside)
    finally:
        os.close(inside)


def _mount(*arguments: object, keep: int | None = None) -> None:
    argv = ["mount", *map(str, arguments)]
    subprocess.run(argv, check=True, capture_output=True, pass_fds=() if keep is None else (keep,))
