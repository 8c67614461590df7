"""The unit files as systemd reads them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parent.parent.parent / "systemd").glob("*.service"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_nothing_to_say_about_the_unit(unit: Path, tmp_path: Path) -> None:
    name = unit.name.replace("@.", "@root.")
    text = unit.read_text()
    for program in ("syncd", "python"):
        text = text.replace(f"/opt/synced-folders/bin/{program} ", f"{sys.executable} ")
    (tmp_path / name).write_text(text.replace("User=synced-folders", "User=root"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if unit.name.split(".")[0].rstrip("@") in line]
    assert (done.returncode, said) == (0, [])
