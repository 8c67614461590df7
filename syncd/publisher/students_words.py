"""What is said and decided about the students' branch, from what was counted and planned: no file, no clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncd.core.entry import CommitId, RelPath
from syncd.publisher.planned_time import in_words, local
from syncd.publisher.plans import Kind, Plan, shown
from syncd.publisher.registry import Students
from syncd.publisher.words import files


@dataclass(frozen=True, slots=True)
class Counted:
    """How far students are: files that they don't have as the folder's commit `source` has them; None: not known."""

    source: CommitId | None = None
    commit: CommitId | None = None
    """Of their branch."""
    behind: int | None = None


def is_pending(students: Students | None, head: CommitId | None, counted: Counted, plans: Iterable[Plan]) -> bool:
    """Whether something is under way to students at this moment."""
    live = students is not None and students.way == "live" and head is not None
    # What was counted for an earlier commit says nothing about this one.
    return (live and (counted.behind != 0 or counted.source != head)) or any(plan.fired for plan in plans)


def report(
    students: Students, counted: Counted, plans: Sequence[Plan], problem: str | None, left_out: Mapping[RelPath, str]
) -> dict[str, Any]:
    """The students' branch as the status shows it."""
    return {
        "branch": students.branch,
        "remote": students.remote,
        "way": students.way,
        "commit": counted.commit,
        "behind": counted.behind,
        "planned": [{**plan.facts(), "when": in_words(local(plan.at)), "what": what(plan)} for plan in plans],
        "problem": problem,
        "left_out": [shown(why) for why in list(left_out.values())[:100]],
    }


def what(plan: Plan, start: str = "Everything") -> str:
    """What a plan does, in words."""
    if plan.kind is Kind.UNDO:
        return shown(plan.message)
    if not plan.paths:
        return start
    named = ", ".join(f"“{shown(path)}”" for path in plan.paths[:3])
    return named + (f" and {len(plan.paths) - 3} more" if len(plan.paths) > 3 else "")


def planned(plan: Plan, moment: datetime) -> str:
    """What to say when a plan is made."""
    then = "" if plan.commit else ", as the folder is then"
    return f"{what(plan)} will be published on {in_words(moment)}{then}."


def done(plan: Plan, count: int, branch: str) -> str:
    """What to say when the students' branch shows a plan; `count` files changed there."""
    verb = "is published" if plan.kind is Kind.PUBLISH else "is done"
    return f"{what(plan)} {verb}{f' ({files(count)})' if count else ''}: students' branch {branch}."


def change(each: tuple[object, object]) -> str:
    """What a difference does to a file that students have."""
    was, now = each
    return "add" if was is None else "delete" if now is None else "update"


def rest_s(plans: Iterable[Plan], now: float, longest_s: float) -> float:
    """Until the next plan is due, by the wall clock (seconds since 1970)."""
    return max(0.0, min([longest_s, *(plan.at - now for plan in plans)]))
