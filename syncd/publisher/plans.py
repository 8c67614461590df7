"""What is to be published, and when: `releases.json` beside the folder's history, written before anything else is done.

A plan leaves the file only when the students' branch shows its commit, which carries the plan's id: so it
is done once, whatever was killed in between.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsUser, Stop
from syncd.publisher.state_file import write_private


class Kind(Enum):
    """What a plan does to the students' branch."""

    PUBLISH = "publish"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Plan:
    """One publication, or one that is undone, that is not on the students' branch yet.  Times in seconds since 1970."""

    id: str
    kind: Kind
    at: float
    paths: tuple[RelPath, ...] = ()
    """Files and folders; none: everything."""
    message: str = ""
    commit: CommitId | None = None
    """What is published from, None until the plan fires; what is undone."""
    fired: bool = False

    def facts(self) -> dict[str, Any]:
        """The plan as the control shows it."""
        return {**asdict(self), "kind": self.kind.value, "paths": [as_text(path) for path in self.paths]}


def new_id() -> str:
    """An id that no plan has."""
    return secrets.token_hex(4)


def as_text(path: str) -> str:
    """A path as JSON can hold it, whatever bytes it is made of."""
    return path.encode("utf-8", "replace").decode()


def shown(path: str) -> str:
    """A path for a sentence: nothing in it steers a terminal."""
    return "".join(c if c.isprintable() else "?" for c in as_text(path))


class Plans:
    """The plans of one folder.  One thread at a time; Stop if the file can't be read."""

    def __init__(self, own: Path) -> None:
        self._file = own / "releases.json"
        self._plans = self._read()

    def all(self) -> tuple[Plan, ...]:
        """All plans, the next one first."""
        return tuple(sorted(self._plans.values(), key=lambda plan: (plan.at, plan.id)))

    def due(self, now: float) -> tuple[Plan, ...]:
        """Those whose time has come."""
        return tuple(plan for plan in self.all() if plan.fired or plan.at <= now)

    def add(self, plan: Plan) -> None:
        """Keep a plan from now on."""
        self._write({**self._plans, plan.id: plan})

    def fire(self, id: str, commit: CommitId) -> Plan:
        """Note that a plan's time has come, and what it publishes: it is that, however long the remote is away."""
        fired = replace(self._plans[id], fired=True, commit=self._plans[id].commit or commit)
        self._write({**self._plans, id: fired})
        return fired

    def drop(self, id: str) -> Plan:
        """Forget a plan.  NeedsUser if there is none."""
        found = self._plans.get(id)
        if found is None:
            raise NeedsUser(f"There is no planned release {id}; `syncd publish --list` lists them.")
        self._write({key: plan for key, plan in self._plans.items() if key != id})
        return found

    def _write(self, plans: dict[str, Plan]) -> None:
        noted = [{**asdict(plan), "kind": plan.kind.value} for plan in plans.values()]
        try:
            write_private(self._file, json.dumps({"plans": noted}, indent=1))
        except OSError as problem:
            raise NeedsUser(f"The plan can't be written to {self._file} ({problem.strerror}): check the disk.") from (
                problem
            )
        self._plans = plans

    def _read(self) -> dict[str, Plan]:
        try:
            noted = json.loads(self._file.read_text(encoding="utf-8"))["plans"]
            return {each["id"]: _plan(each) for each in noted}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError) as problem:
            raise Stop(
                f"The planned releases in {self._file} can't be read: restore it, or remove it and plan anew."
            ) from problem


def _plan(noted: Mapping[str, Any]) -> Plan:
    return Plan(**{**noted, "kind": Kind(noted["kind"]), "paths": tuple(noted["paths"])})
