"""The house rules that a machine can check: imports one way, one owner per big library, short files."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for room in ("syncd", "fuse_mount", "hub_plugin") for path in (ROOT / room).rglob("*.py"))
CEILING = 500

# A module may import ours only from the rooms named for the longest prefix of its path that stands here.
MAY_IMPORT = {
    "syncd/core": {"syncd.core"},
    "syncd/merge": {"syncd.core", "syncd.merge", "syncd.git.lines", "syncd.view"},
    "syncd/git": {"syncd.core", "syncd.git"},
    "syncd/folder": {"syncd.core", "syncd.folder"},
    "syncd/node": {
        "syncd.core",
        "syncd.git",
        "syncd.log_fields",
        "syncd.metrics",
        "syncd.node",
        "syncd.manifest",
        "syncd.blobs",
        "syncd.webhook",
        "syncd.sd_notify",
    },
    "syncd/metrics": {"syncd.core", "syncd.metrics"},
    "syncd/guards": {"syncd.core", "syncd.merge", "syncd.guards"},
    "syncd/account": {"syncd.core", "syncd.git", "syncd.account"},
    "syncd/publisher": {
        "syncd.core",
        "syncd.account",
        "syncd.git",
        "syncd.folder",
        "syncd.merge",
        "syncd.guards",
        "syncd.log_fields",
        "syncd.metrics",
        "syncd.publisher",
        "syncd.page.app",
        "syncd.page.asking",
        "syncd.view",
        "syncd.webhook",
        "syncd.when",
    },
    "syncd/look": {"syncd.look"},
    "syncd/page": {"syncd.core", "syncd.look", "syncd.page"},
    "syncd/doctor": {
        "syncd.core",
        "syncd.account",
        "syncd.doctor",
        "syncd.folder",
        "syncd.git",
        "syncd.manifest",
        "syncd.node",
        "syncd.publisher",
    },
    "syncd/service": {"syncd.core", "syncd.service"},
    "syncd/agent": {
        "syncd.core",
        "syncd.folder",
        "syncd.merge",
        "syncd.agent",
        "syncd.log_fields",
        "syncd.sd_notify",
        "syncd.view",
        "syncd.blobs",
        "syncd.manifest",
        "syncd.versions",
        "syncd.node.client",
    },
    # The demo's jupyterhub_config.py has the one line that a sysadmin's has.
    "syncd/demo/hub": {"syncd.core", "syncd.demo", "hub_plugin"},
    "syncd": {"syncd"},
    "fuse_mount": {"syncd.core", "syncd.manifest", "syncd.blobs", "syncd.view", "fuse_mount"},
    "hub_plugin": {"syncd.core", "syncd.look", "hub_plugin"},
}

OWNERS: dict[str, str | tuple[str, ...]] = {
    "pygit2": "syncd/git/",
    "watchdog": "syncd/publisher/watch.py",
    "mfusepy": "fuse_mount/mfusepy_engine.py",
    "click": "syncd/cli/",
    "rich": "syncd/cli/",
    "jinja2": ("syncd/look/drawing.py", "hub_plugin/pages.py"),
    "sqlalchemy": "hub_plugin/",
    "alembic": "hub_plugin/",
    "redis": "hub_plugin/events.py",
    "traitlets": ("hub_plugin/configurable.py", "hub_plugin/configure.py"),
    "jupyterhub": "syncd/demo/hub/jupyterhub_config.py",
    "sqlite3": "syncd/folder/statcache.py",
    "pathspec": "syncd/core/patterns.py",
    "detect_secrets": "syncd/guards/secrets.py",
    "dateparser": "syncd/when.py",
    "prometheus_client": ("syncd/metrics/", "hub_plugin/node_facts.py"),
    "keyring": "syncd/account/keyring_store.py",
}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module)
    return found


def is_in(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_obeys_the_layers(path: Path) -> None:
    where = path.relative_to(ROOT).as_posix()
    room = max((room for room in MAY_IMPORT if where.startswith(room + "/")), key=len)
    for module in imports_of(path):
        ours = module.split(".")[0] in {"syncd", "fuse_mount", "hub_plugin"}
        if ours:
            assert any(is_in(module, allowed) for allowed in MAY_IMPORT[room]), f"{where} must not import {module}"
        owner = OWNERS.get(module.split(".")[0])
        if owner:
            assert where.startswith(owner), f"{module} belongs to {owner}, {where} imports it"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= CEILING


def test_no_two_test_files_have_one_name() -> None:
    # pytest imports them by name alone, and a whole run would end before it began.
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []


def test_the_core_touches_nothing_outside() -> None:
    banned = {"io", "socket", "subprocess", "asyncio", "time", "random", "threading", "pathlib", "shutil", "tempfile"}
    for path in (ROOT / "syncd/core").glob("*.py"):
        assert not imports_of(path) & banned, path
