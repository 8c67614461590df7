"""When a burst of events is over: a quiet time, a longest wait, and patience with half-written files.

Rules that bind this file:

- A path that had an event is named as due once, sooner or later, whatever else happens.
- Paths settle together: one burst makes one batch.  Nobody waits longer than `longest_s` for others,
  and a path that is saved all the time is taken after `longest_s` as well.
- A deletion is taken together with all else that is gone or moved, whenever that would settle (`taken_with`, I7).
- A path that is saved again and again (an editor's autosave every second) is taken less and less often, but every
  `slowest_s` at least; other paths do not wait for it.
- Many paths at once wait a little longer for more of them.
- Too many paths are no longer told apart: then all of the folder is due.
- A path that was looked at and found half-written comes again, until `patience_s` are over (I9).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from syncd.core.entry import RelPath


@dataclass(frozen=True, slots=True)
class Due:
    """What to look at now.  `impatient` are those of any path whose time to become whole is over."""

    paths: frozenset[RelPath]
    everything: bool
    impatient: frozenset[RelPath]

    def __bool__(self) -> bool:
        return bool(self.paths) or self.everything


NOTHING = Due(frozenset(), False, frozenset())


@dataclass(frozen=True, slots=True)
class _Burst:
    first: float
    last: float
    held: float = 0.0
    """Not to be taken before."""

    @property
    def start(self) -> float:
        return max(self.first, self.held)


@dataclass(frozen=True, slots=True)
class _Taken:
    """When a path was taken last, and how often shortly after the time before."""

    at: float
    streak: int


_CROWD, _CROWD_WAITS = 10, 4
"""So many paths at once are a program's work (unzip, a branch switched), which may pause: it gets more quiet times."""
_RESTED_S = 5.0
"""A path that was left alone for so long after it was taken is taken at once."""


class Settle:
    """Events in, due paths out; times are seconds of any clock that only goes forward."""

    def __init__(
        self,
        *,
        quiet_s: float = 0.2,
        longest_s: float = 3.0,
        patience_s: float = 60.0,
        again_s: float = 1.0,
        many: int = 2000,
        slowest_s: float = 10.0,
    ) -> None:
        self._quiet_s, self._longest_s, self._patience_s = quiet_s, longest_s, patience_s
        self._again_s, self._many = again_s, many
        self._slowest_s = slowest_s
        self._seen = 0.0  # the time of the last look at what is due
        self._paths: dict[RelPath, _Burst] = {}
        self._taken: dict[RelPath, _Taken] = {}
        self._everything: _Burst | None = None
        self._much = False
        self._half: dict[RelPath, float] = {}  # found half-written since
        self._again: dict[RelPath, float] = {}  # when to look again

    def event(self, path: RelPath, now: float) -> None:
        """Something happened at a path."""
        if self._everything is not None:
            self._everything, self._much = _Burst(self._everything.first, now), True
            return
        burst = self._paths.get(path)
        self._paths[path] = replace(burst, last=now) if burst else _Burst(now, now, self._held(path, now))
        if len(self._paths) > self._many:
            first = min(each.first for each in self._paths.values())
            self._paths.clear()
            self._everything, self._much = _Burst(first, now), True

    def rescan(self, now: float, *, lost: bool = False) -> None:
        """Events were `lost`, or nobody knows: look at everything."""
        first = self._everything.first if self._everything else now
        self._much |= lost or bool(self._paths)
        self._paths.clear()
        self._everything = _Burst(first, now)

    def half_written(self, paths: Iterable[RelPath], now: float) -> None:
        """These were looked at and are not whole yet."""
        for path in paths:
            self._half.setdefault(path, now)
            over = self._half[path] + self._patience_s
            self._again[path] = min(now + self._again_s, over) if now < over else now + self._again_s

    def whole(self, paths: Iterable[RelPath]) -> None:
        """These were looked at and are complete, or gone."""
        for path in paths:
            self._half.pop(path, None)
            self._again.pop(path, None)

    @property
    def waiting(self) -> list[RelPath]:
        """The paths that had events, or are half-written, in order."""
        return sorted(self._paths.keys() | self._half.keys())

    @property
    def much(self) -> bool:
        """Whether something had events, or may have had, that `waiting` does not name."""
        return self._much

    @property
    def half(self) -> frozenset[RelPath]:
        """The paths that are half-written."""
        return frozenset(self._half)

    def impatient(self, now: float) -> frozenset[RelPath]:
        """Those of the half-written paths whose time to become whole is over."""
        return frozenset(path for path, since in self._half.items() if now >= since + self._patience_s)

    @property
    def idle(self) -> bool:
        """Whether nothing at all is expected."""
        return not self._paths and not self._half and self._everything is None

    def due(self, now: float) -> Due:
        """What to look at now; each path is named once per burst."""
        again = {path for path, at in self._again.items() if at <= now}
        for path in again:
            del self._again[path]
        over = self.impatient(now)
        if self._everything is not None and self._is_over([self._everything], now):
            self._everything, self._much = None, False
            return Due(frozenset(), True, over)
        self._seen = now
        settled = [group for group in self._groups() if self._is_over(group, now)]
        chosen = {id(burst) for group in settled for burst in group if self._is_over([burst], now)}
        ripe = {path for path, burst in self._paths.items() if id(burst) in chosen}
        for path in ripe:
            del self._paths[path]
            self._count(path, now)
        return Due(frozenset(ripe | again), False, over)

    @property
    def unsettled(self) -> frozenset[RelPath]:
        """The paths that had events and are not due yet."""
        return frozenset(self._paths)

    def taken_with(self, due: Due, more: Iterable[RelPath], now: float) -> Due:
        """What is due, and with it these `unsettled` paths."""
        also = {path for path in more if self._paths.pop(path, None) is not None}
        for path in also:
            self._count(path, now)
        return replace(due, paths=due.paths | also)

    def next_at(self) -> float | None:
        """When `due` may next give something; None if nothing is expected."""
        times = list(self._again.values())
        times += map(self._over_at, self._groups())
        times += [burst.held for burst in self._paths.values() if burst.held > self._seen]
        times += [self._over_at([self._everything])] if self._everything else []
        return min(times, default=None)

    def _groups(self) -> list[list[_Burst]]:
        """What settles together: the paths that were never held, and those that are held no longer."""
        never = [burst for burst in self._paths.values() if not burst.held]
        no_longer = [burst for burst in self._paths.values() if 0 < burst.held <= self._seen]
        return [group for group in (never, no_longer) if group]

    def _is_over(self, bursts: list[_Burst], now: float) -> bool:
        return now >= self._over_at(bursts)

    def _over_at(self, bursts: list[_Burst]) -> float:
        is_crowd = len(bursts) >= _CROWD or bursts[0] is self._everything
        quiet_s = min(self._quiet_s * (_CROWD_WAITS if is_crowd else 1), self._longest_s)
        quiet = max(burst.last for burst in bursts) + quiet_s
        return min(quiet, min(burst.start for burst in bursts) + self._longest_s)

    def _held(self, path: RelPath, now: float) -> float:
        taken = self._taken.get(path)
        if taken is None or now > taken.at + max(_RESTED_S, self._hold_s(taken.streak)):
            self._taken.pop(path, None)
            return 0.0
        return taken.at + self._hold_s(taken.streak)

    def _hold_s(self, streak: int) -> float:
        return min(self._slowest_s, 0.5 * 2.0 ** min(streak, 16))

    def _count(self, path: RelPath, now: float) -> None:
        taken = self._taken.pop(path, None)
        self._taken[path] = _Taken(now, taken.streak + 1 if taken else 0)
        if len(self._taken) > self._many:
            del self._taken[next(iter(self._taken))]
