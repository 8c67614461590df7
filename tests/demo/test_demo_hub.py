"""The demo with its hub, as a person starts it: by root with accounts, by others (and root in a container) without."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_demo import mounts_below, processes_below

from syncd.demo.hub.browser import Browser
from syncd.demo.supervisor import why_no_hub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DEMO = [sys.executable, "-u", "-m", "syncd", "demo"]


@pytest.mark.root
@pytest.mark.fuse
def test_all_four_work_in_lab_and_nothing_is_left_behind(tmp_path: Path) -> None:
    accounts = Path("/etc/passwd").read_bytes()
    env = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([*DEMO, "--once"], env=env, capture_output=True, text=True, timeout=220, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "their servers start" in done.stdout and "All held" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert mounts_below(tmp_path) == []
    assert processes_below(tmp_path) == []
    assert Path("/etc/passwd").read_bytes() == accounts


@pytest.mark.root
def test_without_accounts_people_have_folders_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    """Root without the right to mount, as in most containers; it is the same for somebody who is not root."""
    env = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    argv = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", *DEMO]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout is not None
        said = []
        for line in demo.stdout:
            said.append(line)
            if "Ctrl-C ends" in line:
                break
        told = "".join(said)
        assert "Everything runs as you" in told, told
        hub, password = re.search(r"(http://127\.0\.0\.1:\d+/)", told), re.search(r"ada +student +password (\S+)", told)
        assert hub and password, told
        ada = Browser(hub[1], "ada")
        ada.log_in(password[1])
        ada.begin_server()
        ada.await_server()
        assert ada.read("Data Stories/README.md").startswith(b"# Data Stories")
        page = ada.text(ada.pages)
        ada.text(f"{ada.pages}courses/data-stories/update", {"form_token": ada.form_token(page)})
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0, demo.stdout.read()
    assert processes_below(tmp_path) == []
    (root,) = tmp_path.glob("synced-folders-demo-*")
    assert (root / "home/kim/teaching/Data Stories/README.md").exists()


def test_why_there_is_no_hub_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_no_hub() is None
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert "not installed: configurable-http-proxy; `make demo`" in str(why_no_hub())
