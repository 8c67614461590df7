"""A person's few settings, in `settings.json` of the state folder."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from syncd.core.errors import NeedsUser, Stop
from syncd.git.author import author_of_this_machine
from syncd.git.commits import Author
from syncd.publisher.state_file import locked, private_folder, write_private


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: what it is for, and what is wrong with a value (None: nothing)."""

    help: str
    problem: Callable[[str], str | None]


def _name(text: str) -> str | None:
    return None if text.isprintable() and not set("<>") & set(text) else "a name has no “<” or “>”"


def _email(text: str) -> str | None:
    good = text.isprintable() and not set("<> ") & set(text) and 0 < text.find("@") < len(text) - 1
    return None if good else "an e-mail address looks like ada@example.org"


def _word(text: str) -> str | None:
    return None if text.isascii() and text.isprintable() and " " not in text else "it is one word"


def _web(text: str) -> str | None:
    return None if text.startswith(("https://", "http://")) else "an address begins with https://"


def _megabytes(text: str) -> str | None:
    good = text.isascii() and text.isdigit() and 0 < int(text) <= 1_000_000
    return None if good else "it is a number of MB, as 50"


SETTINGS: Mapping[str, Setting] = {
    "author.name": Setting("Your name in the history (default: git's user.name, else your account's).", _name),
    "author.email": Setting("Your e-mail address in the history (default: git's user.email).", _email),
    "github.client-id": Setting("The app that signs you in with a code (`syncd login --device`).", _word),
    "github.login": Setting("Where to sign in with a code (default https://github.com).", _web),
    "github.api": Setting("GitHub's API (an Enterprise server's is https://HOST/api/v3).", _web),
    "size.warn": Setting("Files above so many MB are warned of (default 50), from the next start on.", _megabytes),
    "size.most": Setting(
        "Files above so many MB stay out (default 100, as GitHub's), from the next start on.", _megabytes
    ),
}


class Settings:
    """The settings of a state folder; read anew at each use."""

    def __init__(self, state: Path) -> None:
        self._state = private_folder(state)
        self._file = state / "settings.json"

    def all(self) -> dict[str, str]:
        """What is set."""
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            return {key: str(value) for key, value in found.items() if key in SETTINGS}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError) as problem:
            raise Stop(f"The settings in {self._file} can't be read; remove the file and set them anew.") from problem

    def get(self, name: str) -> str | None:
        """One setting; None if it is not set."""
        return self.all().get(name)

    def set(self, name: str, value: str | None) -> None:
        """Set one, or (None) take it back.  NeedsUser if there is none of that name, or the value can't be."""
        known = SETTINGS.get(name)
        if known is None:
            raise NeedsUser(f"There is no setting “{name}”; there are {', '.join(SETTINGS)}.")
        value = value.strip() if value is not None else None
        if value is not None and (not value or known.problem(value)):
            raise NeedsUser(f"“{value}” can't be {name}: {known.problem(value) or 'it is empty'}.")
        with locked(self._state / "settings.lock"):
            rest = {key: old for key, old in self.all().items() if key != name}
            write_private(self._file, json.dumps(rest | ({name: value} if value is not None else {}), indent=1))


def author_of(state: Path) -> Author:
    """Who commits: as set for us, which is the nearest; else as git's own settings say; else the account's name."""
    found, known = Settings(state).all(), author_of_this_machine()
    return Author(found.get("author.name") or known.name, found.get("author.email") or known.email)
