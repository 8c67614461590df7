"""Who is in the demo's hub, and where they live."""

import json
import os
import pwd
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from syncd.demo.stage import STUDENTS

INSTRUCTOR = "kim"
_FIRST_ACCOUNT = 64_001
# Lab asks everybody whether they want its news; a demo has news of its own.
_QUIET_LAB = {"fetchNews": "false", "checkForUpdates": False}


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the hub; `account` is their number on this machine, None where all is run by one."""

    name: str
    password: str
    home: Path
    account: int | None

    @property
    def state(self) -> Path:
        """Where the programs of this person keep their state, if nobody says otherwise."""
        return self.home / ".local/state/synced-folders"

    @property
    def environment(self) -> dict[str, str]:
        """Makes a process of the demo theirs."""
        return {"HOME": str(self.home), "USER": self.name, "LOGNAME": self.name, "SYNCD_STATE": str(self.state)}

    def own(self, path: Path) -> None:
        """Give them a file or folder, and what is in it."""
        if self.account is not None:
            for above, folders, files in os.walk(path):
                for name in (above, *(os.path.join(above, each) for each in (*folders, *files))):
                    os.chown(name, self.account, self.account, follow_symlinks=False)


def gather(homes: Path, *, accounts: bool) -> dict[str, Person]:
    """An instructor and three students, with passwords of their own, and with `accounts` of their own too."""
    numbers = _free_numbers() if accounts else None
    names = (INSTRUCTOR, *STUDENTS)
    return {name: Person(name, _password(), homes / name, next(numbers) if numbers else None) for name in names}


def settle(person: Person) -> None:
    """Make the home of a person."""
    settings = person.home / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(_QUIET_LAB))
    person.home.chmod(0o700)
    person.own(person.home)


def _password() -> str:
    """Typed by hand: nothing that looks like something else."""
    return "".join(secrets.choice("abcdefghkmnpqrstuvwxyz23456789") for _ in range(10))


def _free_numbers() -> Iterator[int]:
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {entry.pw_gid for entry in pwd.getpwall()}
    return (number for number in range(_FIRST_ACCOUNT, 65_000) if number not in taken)
