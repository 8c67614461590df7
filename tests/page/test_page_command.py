"""`python -m hub_plugin`, as a process."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from hub_plugin import words
from hub_plugin.__main__ import listening_place, main
from syncd.core.errors import NeedsUser


def test_the_command_says_where_the_page_is_and_ends_when_told(tmp_path: Path) -> None:
    ready = tmp_path / "page.ready"
    argv = ["--publisher", str(tmp_path), "--node", str(tmp_path / "n.sock"), "--ready-file", str(ready)]
    page = subprocess.Popen([sys.executable, "-m", "hub_plugin", *argv], stdout=subprocess.PIPE, text=True)
    try:
        assert page.stdout is not None
        line = page.stdout.readline()
        url = json.loads(ready.read_text())["url"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        assert line == words.listening(url) + "\n"
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert words.PUBLISHER_MISSING in answer.read().decode()
        page.send_signal(signal.SIGTERM)
        assert page.wait(5) == 0
        assert page.stdout.read() == ""
    finally:
        page.kill()
        page.wait()


@pytest.mark.parametrize(
    "text", ["0.0.0.0:0", "192.168.1.5:80", "example.org:80", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", ":0", ""]
)
def test_only_loopback_is_listened_on(text: str) -> None:
    with pytest.raises(NeedsUser):
        listening_place(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("localhost:81", ("127.0.0.1", 81)), ("[::1]:8080", ("::1", 8080))],
)
def test_loopback_in_all_its_forms(text: str, place: tuple[str, int]) -> None:
    assert listening_place(text) == place


def test_nothing_to_show_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    assert capsys.readouterr().err == words.NO_SOURCE + "\n"
