"""A kernel of our own (User Mode Linux), for what this machine's kernel does not have: control groups v2, quotas.

Its root is this machine's, read only; what is written there goes to memory, or to the folder that both sides see.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_PATIENCE_S = 400
_LOAD = """
import ctypes, os
for module in ("fs/fuse/fuse", "fs/quota/quota_tree", "fs/quota/quota_v2"):
    fd = os.open(f"/usr/lib/uml/modules/{os.uname().release}/kernel/{module}.ko", os.O_RDONLY)
    assert ctypes.CDLL(None).syscall(313, fd, b"", 0) == 0, f"finit_module of {module}"
"""
_INIT = """#!/bin/sh
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs memory /run
{python} -c '{load}'
mount -t cgroup2 groups /sys/fs/cgroup
mount -t hostfs both {folder} -o {folder}
ip link set lo up
export HOME=/run TMPDIR=/run PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PYTHONPATH={paths} PYTHONDONTWRITEBYTECODE=1
cd {root}
{python} {script} > {folder}/said 2>&1
echo "ended: $?" >> {folder}/said
{python} -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'
"""


def missing() -> str | None:
    """Why no such kernel can be had here; None if it can."""
    if os.geteuid() != 0:
        return "not root"
    return None if shutil.which("linux.uml") else "no linux.uml (Debian's user-mode-linux)"


def run(folder: Path, script: Path, *disks: Path) -> None:
    """Run a Python program as root on it; AssertionError with all it said if it fails.

    `folder` is seen by both sides; `disks` are there as /dev/ubda, /dev/ubdb and so on.
    """
    init = folder / "init"
    paths = f"{ROOT}:{script.parent}:{ROOT / 'tests/agents'}"
    init.write_text(
        _INIT.format(folder=folder, paths=paths, root=ROOT, python=sys.executable, script=script, load=_LOAD)
    )
    init.chmod(0o755)
    argv = ["linux.uml", "mem=900M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}", "con=null", "quiet"]
    argv += [f"ubd{number}={disk}" for number, disk in enumerate(disks)]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
    )
    said = (folder / "said").read_text() if (folder / "said").exists() else done.stdout[-3000:]
    assert said.endswith("ended: 0\n"), said
