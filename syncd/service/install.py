"""Puts the service of this person in place, or away again, by the system's own commands."""

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from syncd.core.errors import NeedsUser
from syncd.service.definition import LABEL, NAME, TASK, System, definition, encoded


def this_system() -> System:
    """The system that we run on."""
    return {"win32": System.WINDOWS, "darwin": System.MACOS}.get(sys.platform, System.LINUX)


@dataclass(frozen=True, slots=True)
class Service:
    """The service's file, and the commands that steer it; each is a list of arguments."""

    system: System
    path: Path
    text: str
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]
    ask: tuple[str, ...]
    """Succeeds if it runs."""


def service(system: System, environment: Mapping[str, str]) -> Service:
    """The service of this person on a system."""
    home, user = Path.home(), getpass.getuser()
    text = definition(system, _program(system), environment, user, home)
    if system is System.MACOS:
        path = home / f"Library/LaunchAgents/{LABEL}.plist"
        domain = f"gui/{os.getuid() if sys.platform != 'win32' else 0}"
        start = (("launchctl", "bootstrap", domain, str(path)),)
        return Service(
            system,
            path,
            text,
            start,
            (("launchctl", "bootout", f"{domain}/{LABEL}"),),
            ("launchctl", "print", f"{domain}/{LABEL}"),
        )
    if system is System.WINDOWS:
        path = platformdirs.user_data_path("synced-folders", appauthor=False) / "syncd-task.xml"
        create = ("schtasks", "/Create", "/TN", TASK, "/XML", str(path), "/F")
        return Service(
            system,
            path,
            text,
            (create, ("schtasks", "/Run", "/TN", TASK)),
            (("schtasks", "/End", "/TN", TASK), ("schtasks", "/Delete", "/TN", TASK, "/F")),
            ("schtasks", "/Query", "/TN", TASK),
        )
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    systemctl = ("systemctl", "--user")
    return Service(
        system,
        settings / f"systemd/user/{NAME}.service",
        text,
        ((*systemctl, "daemon-reload"), (*systemctl, "enable", "--quiet", NAME), (*systemctl, "restart", NAME)),
        ((*systemctl, "disable", "--quiet", "--now", NAME), (*systemctl, "daemon-reload")),
        (*systemctl, "--quiet", "is-active", NAME),
    )


def install(found: Service, *, start: bool = True) -> str:
    """Write the file and start the service; a sentence.  NeedsUser if the system does not let us."""
    try:
        found.path.parent.mkdir(parents=True, exist_ok=True)
        aside = found.path.with_name(f".{found.path.name}.new")
        aside.write_bytes(encoded(found.system, found.text))
        aside.replace(found.path)
    except OSError as problem:
        raise NeedsUser(f"{found.path} can't be written ({problem.strerror}); give yourself the right to.") from problem
    if not start:
        return f"{found.path} is in place; start it with: {_line(found.start[-1])}"
    for command in found.start:
        if (problem_there := _run(command)) is not None:
            commands = " && ".join(_line(each) for each in found.start)
            raise NeedsUser(f"{found.path} is in place, but could not be started ({problem_there}); try: {commands}")
    return f"Synced Folders runs, and starts by itself from now on ({found.path}).{_linger(found.system)}"


def uninstall(found: Service) -> str:
    """Stop the service and remove its file; a sentence.  Folders, tokens and history stay."""
    if not found.path.exists():
        return "No service of Synced Folders is installed here."
    for command in found.stop:
        _run(command)  # it may not run, or not be known any more: the file is what counts
    found.path.unlink()
    return f"The service is removed ({found.path}); your folders, tokens and history stay."


def condition(found: Service) -> tuple[bool, str]:
    """Whether it is installed as it should be and runs; a sentence."""
    if not found.path.exists():
        return False, "No service is installed; install it with: syncd service install"
    if found.path.read_bytes() != encoded(found.system, found.text):
        return False, f"{found.path} is of another version or place of syncd; renew it with: syncd service install"
    if (problem := _run(found.ask)) is not None:
        return False, f"The service is installed but does not run ({problem}); start it with: {_line(found.start[-1])}"
    return True, f"The service is installed and runs ({found.path})."


def _program(system: System) -> list[str]:
    """The syncd that runs now, as a service starts it."""
    python = Path(sys.executable)
    if system is System.WINDOWS:
        silent = python.with_name("pythonw.exe")  # without a window
        return [str(silent if silent.exists() else python), "-m", "syncd", "run"]
    script = python.with_name("syncd")
    return [str(script), "run"] if script.exists() else [str(python), "-m", "syncd", "run"]


def _run(command: Sequence[str]) -> str | None:
    """Run it; what went wrong, in a few words."""
    if shutil.which(command[0]) is None:
        return f"there is no {command[0]} here"
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return None
    return next(filter(None, map(str.strip, (done.stderr + done.stdout).splitlines())), f"{command[0]} said no")


def _linger(system: System) -> str:
    if system is not System.LINUX or shutil.which("loginctl") is None:
        return ""
    asked = ["loginctl", "show-user", getpass.getuser(), "--property=Linger", "--value"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return " To let it run while you are logged out too: loginctl enable-linger" if found == "no" else ""


def _line(command: Sequence[str]) -> str:
    return " ".join(f'"{word}"' if " " in word else word for word in command)
