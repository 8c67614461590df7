"""Limits that the kernel keeps, tried on one that has them."""

import subprocess
from pathlib import Path

import pytest
from own_kernel import missing, run

pytestmark = [pytest.mark.root, pytest.mark.fuse, pytest.mark.slow, pytest.mark.timeout(420)]
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def kernel() -> None:
    if (why := missing()) is not None:
        pytest.skip(why)


def test_agents_and_layers_are_held_to_limits_and_nothing_is_lost_at_them(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with open(disk, "wb") as file:
        file.truncate(64 << 20)
    make = ["mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=usrquota:prjquota", disk]
    subprocess.run(make, check=True, capture_output=True)
    run(tmp_path, HERE / "limits_inside.py", disk)
