"""`syncd service`: each system's file is what that system reads, and is packaged."""

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import pytest
from commands import ROOT, Person, one_sentence

from syncd.service.definition import System, definition, encoded

TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
HOSTILE = ['/opt/my "apps"/100% $HOME \\n/syncd', "run"]


def made(system: System, program: list[str], environment: dict[str, str] | None = None) -> str:
    return definition(system, program, environment or {}, "ada", PurePosixPath("/Users/ada"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
@pytest.mark.parametrize("folder", ["bin", "my apps 100% $x"])
def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    program = tmp_path / folder / "syncd"
    program.symlink_to("/bin/true")
    text = made(System.LINUX, [str(program), "run"], {"SYNCD_STATE": "/home/ada/my state"})
    unit = tmp_path / "syncd.service"
    unit.write_text(text)
    env = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(["systemd-analyze", "--user", "verify", unit], capture_output=True, text=True, env=env)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)
    assert 'Environment="SYNCD_STATE=/home/ada/my state"' in text and "/opt/" not in text


def test_the_unit_quotes_what_systemd_would_expand() -> None:
    line = 'ExecStart="/opt/my \\"apps\\"/100%% $HOME \\\\n/syncd" "run" "$$HOME"'
    assert line in made(System.LINUX, [*HOSTILE, "$HOME"]).splitlines()


def test_launchd_gets_a_property_list() -> None:
    found = plistlib.loads(encoded(System.MACOS, made(System.MACOS, HOSTILE, {"SYNCD_STATE": "/x y"})))
    assert found["ProgramArguments"] == HOSTILE and found["EnvironmentVariables"] == {"SYNCD_STATE": "/x y"}
    assert found["RunAtLoad"] is True and found["Umask"] == 0o077
    assert found["StandardErrorPath"] == "/Users/ada/Library/Logs/synced-folders.log"


def test_windows_gets_a_task_that_its_scheduler_knows() -> None:
    raw = encoded(System.WINDOWS, made(System.WINDOWS, ["C:\\Program Files\\a & b\\pythonw.exe", "-m", "syncd", "run"]))
    task = ElementTree.fromstring(raw)  # by its own declaration: UTF-16
    assert (task.tag, task.get("version")) == (f"{TASK}Task", "1.2")
    parts = [part.tag.removeprefix(TASK) for part in task]
    assert parts == ["RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"]  # the schema's
    assert task.findtext(f"{TASK}Actions/{TASK}Exec/{TASK}Command") == "C:\\Program Files\\a & b\\pythonw.exe"
    assert task.findtext(f"{TASK}Actions/{TASK}Exec/{TASK}Arguments") == "-m syncd run"
    assert task.findtext(f"{TASK}Triggers/{TASK}LogonTrigger/{TASK}UserId") == "ada"
    principal = task.find(f"{TASK}Principals/{TASK}Principal")
    assert principal is not None and principal.get("id") == task.find(f"{TASK}Actions").get("Context")  # type: ignore[union-attr]
    assert task.findtext(f"{TASK}Settings/{TASK}ExecutionTimeLimit") == "PT0S"


@pytest.mark.slow
def test_the_service_is_put_in_place_told_of_and_removed(person: Person) -> None:
    unit = person.home / ".config/systemd/user/syncd.service"
    assert person.say("service", "status").returncode == 3
    printed = person.say("service", "install", "--print").stdout
    assert not unit.exists()
    done = person.say("service", "install", "--no-start")
    assert done.returncode == 0 and "systemctl --user restart syncd" in done.stdout, done.stderr
    assert unit.read_text() == printed and f"SYNCD_STATE={person.state}" in printed
    no_systemd = {"PATH": str(person.home)}
    assert "no systemctl here" in one_sentence(person.say("service", "install", **no_systemd))
    stale = person.say("service", "status", SYNCD_STATE=str(person.home / "other"))
    assert "renew it" in stale.stdout and stale.returncode == 3
    assert "is removed" in person.say("service", "uninstall").stdout and not unit.exists()
    assert "No service" in person.say("service", "uninstall").stdout
    assert "--print" in one_sentence(person.say("service", "install", "--system", "macos"))
    for system in ("macos", "windows"):
        assert "syncd" in person.say("service", "install", "--system", system, "--print").stdout


@pytest.mark.slow
def test_a_wheel_holds_the_unit(tmp_path: Path) -> None:
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "syncd", "fuse_mount", "hub_plugin", "systemd"):
        (tmp_path / name).symlink_to(ROOT / name)
    argv = [sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "build_py", "-d", "built"]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True, env=os.environ | {"PYTHONPATH": ""})
    built = tmp_path / "built/syncd/service/syncd.service"
    assert not built.is_symlink() and built.read_bytes() == (ROOT / "systemd/syncd.service").read_bytes()
