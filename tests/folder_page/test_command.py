"""`syncd open` from the terminal."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from reader import Publisher, Reader


def syncd(state: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME")
    usual = {name: value for name, value in os.environ.items() if name not in screens}
    command = [sys.executable, "-m", "syncd", *arguments]
    return subprocess.run(command, env=usual | {"SYNCD_STATE": str(state)} | env, capture_output=True, text=True)


def test_without_a_publisher_it_says_what_to_start(tmp_path: Path) -> None:
    done = syncd(tmp_path / "state", "open")
    assert done.returncode == 1 and "syncd run" in done.stderr and not done.stdout


@pytest.mark.slow
async def test_it_hands_the_link_to_the_browser_and_prints_it(tmp_path: Path) -> None:
    browser, seen = tmp_path / "my-browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    state = tmp_path / "state"
    state.mkdir()
    async with Publisher(state):
        done = syncd(state, "open", BROWSER=str(browser))
        assert done.returncode == 0 and done.stderr == ""
        assert seen.read_text() in done.stdout and "/enter?code=" in seen.read_text()
        seen.unlink()
        # Without a screen it only prints: a text browser would use the link up.
        link = next(word for word in syncd(state, "open").stdout.split() if word.startswith("http"))
        assert not seen.exists()
        async with Reader(link) as reader:
            assert (await (await reader.enter()).get())[0] == 200
