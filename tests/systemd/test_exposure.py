"""How much each unit could do if it were taken over, by systemd's own measure; what may not grow."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parent.parent.parent / "systemd"
# 2.0 for what holds credentials and network; the others as low as their work allows today.
AT_MOST = {
    "syncd-node.service": 2.0,
    "syncd-collect.service": 1.0,
    "syncd-broker.service": 5.0,
    "syncd-agents.service": 6.0,
}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize(("unit", "most"), AT_MOST.items())
def test_exposure_does_not_grow(unit: str, most: float) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--json=short", str(UNITS / unit)]
    said = subprocess.run([*command, f"--threshold={int(most * 10)}"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout), "it judged nothing"
