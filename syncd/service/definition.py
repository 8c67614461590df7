"""What keeps `syncd run` running on each system, as text: a systemd user unit, a launchd agent, a scheduled task.

systemd.service(5), launchd.plist(5), and Microsoft's Task Scheduler schema, version 1.2.
"""

import plistlib
from collections.abc import Mapping, Sequence
from enum import Enum
from importlib.resources import files
from pathlib import PurePath
from subprocess import list2cmdline
from xml.etree import ElementTree

NAME = "syncd"
LABEL = "org.synced-folders.syncd"
TASK = "Synced Folders"
_SCHEMA = "http://schemas.microsoft.com/windows/2004/02/mit/task"


class System(Enum):
    """Where it runs."""

    LINUX = "linux"
    MACOS = "macos"
    WINDOWS = "windows"


def definition(
    system: System, program: Sequence[str], environment: Mapping[str, str], user: str, home: PurePath
) -> str:
    """The text for a system.  `program` is run with its arguments; a scheduled task takes no environment."""
    if system is System.LINUX:
        return _unit(program, environment)
    return _agent(program, environment, home) if system is System.MACOS else _task(program, user)


def encoded(system: System, text: str) -> bytes:
    """As it goes into its file."""
    return text.encode("utf-16" if system is System.WINDOWS else "utf-8")


def _unit(program: Sequence[str], environment: Mapping[str, str]) -> str:
    """The unit that lies in systemd/, with this machine's command in it."""
    out = []
    for line in files("syncd.service").joinpath("syncd.service").read_text(encoding="utf-8").splitlines():
        if line.startswith("ExecStart="):
            out += [f"Environment={_quoted(f'{name}={value}')}" for name, value in environment.items()]
            # Variables are put into arguments, but not into the program's own path.
            arguments = [_quoted(word.replace("$", "$$")) for word in program[1:]]
            line = "ExecStart=" + " ".join([_quoted(program[0]), *arguments])
        out.append(line)
    return "\n".join(out) + "\n"


def _quoted(word: str) -> str:
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    return f'"{word}"'


def _agent(program: Sequence[str], environment: Mapping[str, str], home: PurePath) -> str:
    log = str(home / "Library/Logs/synced-folders.log")
    found = {
        "Label": LABEL,
        "ProgramArguments": list(program),
        "EnvironmentVariables": dict(environment),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 5,
        "ProcessType": "Background",
        "Umask": 0o077,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    return plistlib.dumps(found).decode()


def _task(program: Sequence[str], user: str) -> str:
    ElementTree.register_namespace("", _SCHEMA)
    task = ElementTree.Element(f"{{{_SCHEMA}}}Task", version="1.2")
    _fill(task, {"RegistrationInfo": {"Description": "Publishes the folders of this person", "URI": f"\\{TASK}"}})
    _fill(task, {"Triggers": {"LogonTrigger": {"Enabled": "true", "UserId": user}}})
    principal = {"UserId": user, "LogonType": "InteractiveToken", "RunLevel": "LeastPrivilege"}
    _fill(task, {"Principals": {"Principal": principal}})
    task.find(f".//{{{_SCHEMA}}}Principal").set("id", "Author")  # type: ignore[union-attr]
    settings = {
        "MultipleInstancesPolicy": "IgnoreNew",
        "DisallowStartIfOnBatteries": "false",
        "StopIfGoingOnBatteries": "false",
        "AllowHardTerminate": "true",
        "StartWhenAvailable": "true",
        "ExecutionTimeLimit": "PT0S",  # for ever
        "RestartOnFailure": {"Interval": "PT1M", "Count": "255"},
    }
    _fill(task, {"Settings": settings})
    _fill(task, {"Actions": {"Exec": {"Command": program[0], "Arguments": list2cmdline(program[1:])}}})
    task.find(f".//{{{_SCHEMA}}}Actions").set("Context", "Author")  # type: ignore[union-attr]
    ElementTree.indent(task)
    return '<?xml version="1.0" encoding="UTF-16"?>\n' + ElementTree.tostring(task, encoding="unicode") + "\n"


def _fill(into: ElementTree.Element, what: Mapping[str, object]) -> None:
    for name, value in what.items():
        element = ElementTree.SubElement(into, f"{{{_SCHEMA}}}{name}")
        if isinstance(value, Mapping):
            _fill(element, value)
        else:
            element.text = str(value)
