"""What a test needs of the machine: said by a marker, checked here; in CI a missing thing is a failure."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest


def _missing() -> dict[str, str | None]:
    fuse = None
    if not os.path.exists("/dev/fuse"):
        fuse = "no /dev/fuse"
    elif os.geteuid() != 0 and not (shutil.which("fusermount3") and os.access("/dev/fuse", os.R_OK | os.W_OK)):
        fuse = "no right to mount"
    browser = None if shutil.which("chromium") or shutil.which("google-chrome") else "no Chromium"
    return {"fuse": fuse, "browser": browser, "root": None if os.geteuid() == 0 else "not root"}


MISSING = _missing()


def pytest_configure(config: pytest.Config) -> None:
    """Short paths for a worker's folders: a socket's address has 108 bytes, and nobody else may enter pytest's own."""
    if hasattr(config, "workerinput"):
        config.option.basetemp = tempfile.mkdtemp(prefix="t-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """What a worker made goes with it; what a failed test left mounted stays."""
    if not hasattr(config, "workerinput"):
        return
    folder, table = config.option.basetemp, Path("/proc/self/mountinfo")
    if not table.exists() or folder not in table.read_text():
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What talks to a real git server is a loop: too slow for `make check`, whatever one test takes."""
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.loop)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, missing in MISSING.items():
        if missing and item.get_closest_marker(marker):
            if os.environ.get("CI"):
                pytest.fail(f"CI must be able to run this test: {missing}", pytrace=False)
            pytest.skip(missing)
