"""The doctor of a node: homes that other machines have, too."""

from dataclasses import replace
from pathlib import Path

import pytest

from syncd.doctor.finding import Level
from syncd.doctor.node_homes import exported, homes
from syncd.doctor.node_place import NodeHere
from syncd.node.config import NodeConfig

HERE = NodeHere(Path("/etc/node.toml"), Path("/store"), NodeConfig(Path("/store")), None, None)
EXPORTS = """
# /not/this *(rw)
/home   10.0.0.0/24(rw,no_subtree_check) \\
        backup(ro)
"/with blank" *(ro)
/octal\\040blank *(ro)
/alone
"""


def test_exported_folders_are_read_as_the_server_reads_them() -> None:
    wanted = ["/home", "/with blank", "/octal blank", "/alone"]
    assert exported(EXPORTS) == tuple(map(Path, wanted))


@pytest.mark.parametrize(
    ("shared", "home", "level"),
    [
        (None, "/home/ada", Level.PROBLEM),
        (False, "/home/ada", Level.PROBLEM),
        (True, "/home/ada", Level.GOOD),
        (None, "/homes/ada", None),
    ],
)
def test_a_node_that_exports_homes_must_say_so(shared: bool | None, home: str, level: Level | None) -> None:
    config = NodeConfig(Path("/store"), shared_homes=shared)
    at = replace(HERE, config=config, homes=(Path(home),), exported=exported(EXPORTS))
    found = list(homes(at))
    assert [each.level for each in found] == ([level] if level else [])
    assert level is not Level.PROBLEM or "shared_homes = true" in found[0].sentence
