"""The versions that came to a node, as people are told of them: when, and with whose words.

The mirror of a course holds no history, so what comes is written down as it comes, and counted: `v37` is the 37th that
this node saw.  What was pushed together came one after the other all the same.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from syncd.core.entry import CommitId
from syncd.git.mirror import Mirror, RawCommit

_KEPT, _MOST_AT_ONCE = 20, 500
_LONGEST_MESSAGE = 600


@dataclass(frozen=True, slots=True)
class Seen:
    """A version; `time` is the commit's own, in seconds since the epoch, and `number` counts from 1."""

    commit: CommitId
    time: float
    message: str
    number: int


def with_new(seen: Sequence[Seen], mirror: Mirror, tip: CommitId) -> tuple[Seen, ...]:
    """The newest first, once `tip` has come.  Nothing changes if it is the newest already."""
    came = _since(seen, mirror, tip)
    last = (seen[0].number if seen else 0) + len(came)
    new = [
        Seen(commit, float(said.time), said.message.strip()[:_LONGEST_MESSAGE], last - at)
        for at, (commit, said) in enumerate(came[:_KEPT])
    ]
    return tuple([*new, *seen][:_KEPT])


def said(seen: Sequence[Seen]) -> list[dict[str, Any]]:
    """As JSON has it."""
    return [{"commit": one.commit, "time": one.time, "message": one.message, "number": one.number} for one in seen]


def read(found: object) -> tuple[Seen, ...]:
    """The same, read; nothing where nothing was written down.  KeyError, TypeError or ValueError if it is damaged."""
    return tuple(
        Seen(CommitId(str(one["commit"])), float(one["time"]), str(one["message"]), int(one["number"]))
        for one in (found if isinstance(found, list) else ())
    )


def _since(seen: Sequence[Seen], mirror: Mirror, tip: CommitId) -> list[tuple[CommitId, RawCommit]]:
    """The commits from the tip back to those that were seen, the latest first; the tip alone where none is reached."""
    known = {one.commit for one in seen}
    if seen and tip == seen[0].commit:
        return []
    met = {tip: mirror.commit(tip)}
    ahead, found, reached = [(-met[tip].time, tip)], [tip], False
    while ahead and len(met) < _MOST_AT_ONCE:
        at = heapq.heappop(ahead)[1]
        found += [at] if at != tip else []
        for parent in met[at].parents:
            if parent in known:
                reached = True
            elif parent not in met and mirror.holds(parent):
                met[parent] = mirror.commit(parent)
                heapq.heappush(ahead, (-met[parent].time, parent))
    # Else it is a history that was rewritten, or the first look: what came before is nothing that came now.
    return [(commit, met[commit]) for commit in (found if reached else found[:1])]
