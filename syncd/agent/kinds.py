"""Which kind of folder a course gets here: the first that works, and from then on the same."""

import functools
import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, cast

from syncd.blobs import Snapshot
from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsUser
from syncd.view import View

_GROUP = "synced_folders.views"
_ORDER = ("overlay", "plain")
"""Tried in this order; kinds that others add come after."""


class OpenView(Protocol):
    """Opens a view; see `syncd.view`."""

    def __call__(
        self,
        root: Path,
        state: Path,
        snapshots: Callable[[CommitId], Snapshot],
        quiet_s: float = 2.0,
        *,
        leased: bool = False,
    ) -> View:
        """Open it, finishing what was interrupted.

        `leased`: only this process may serve the state, while it lives, and it takes no lock of its own.
        """
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of folder: how it is opened, and why it can't be had here (None: it can)."""

    name: str
    open: OpenView
    why_not: str | None
    notices: Callable[[Mapping[RelPath, str] | None], list[bytes]] = lambda paths: []
    """What a mount's device is told of a version that changes these paths."""
    watching: Callable[[], Collection[int]] = frozenset
    """Users of this machine with programs that watch such folders."""
    give_up: Callable[[Path, Path], None] = lambda root, state: None
    """Takes away what is left here of a folder (and its state) that another machine serves now."""


def kinds() -> dict[str, Kind]:
    """All kinds that are installed, in the order in which they are tried."""
    found = _points()
    names = [*(name for name in _ORDER if name in found), *sorted(found.keys() - set(_ORDER))]
    return {name: _load(found[name]) for name in names}


def choose(known: Mapping[str, Kind], wanted: str | None, kept: str | None) -> Kind:
    """The kind for a course: as it is kept already, else as wanted, else the first that works.

    A folder's kind never changes by itself: the student's work is in the one it was begun with.  NeedsUser if the
    kind can't be had.
    """
    if kept is not None and wanted not in (None, kept):
        raise NeedsUser(f"This folder is kept as “{kept}” already; leave out --view, or choose another folder.")
    name = kept or wanted
    if name is None:
        name = next((kind.name for kind in known.values() if kind.why_not is None), None)
        if name is None:
            reasons = " ".join(f"{kind.name}: {kind.why_not}" for kind in known.values())
            raise NeedsUser(f"No kind of folder can be had here. {reasons}")
    if name not in known:
        raise NeedsUser(f"Folders of the kind “{name}” are not installed here; there are: {', '.join(known)}.")
    if known[name].why_not is not None:
        raise NeedsUser(f"A folder of the kind “{name}” can't be had here: {known[name].why_not}")
    return known[name]


def kept_kind(state: Path) -> str | None:
    """The kind that a course's state was begun with."""
    try:
        return (state / "kind").read_text().strip() or None
    except FileNotFoundError:
        return None


def keep_kind(state: Path, kind: str) -> None:
    """Remember the kind."""
    if kept_kind(state) != kind:
        # Not flushed, as a class arrives at once: if the power takes it, it is chosen again in the same way.
        aside = state / ".kind"
        aside.write_text(kind + "\n")
        aside.replace(state / "kind")


@functools.cache
def _points() -> Mapping[str, EntryPoint]:
    """Looked for once: an agent that is forked finds what its parent has found and imported."""
    return {point.name: point for point in entry_points(group=_GROUP)}


def _load(point: EntryPoint) -> Kind:
    try:
        opener, module = cast(OpenView, point.load()), importlib.import_module(point.module)
        available = cast(Callable[[], str | None], module.available)
    except (ImportError, AttributeError) as problem:
        return Kind(point.name, _missing, f"it is not installed whole ({problem}).")
    told = {name: getattr(module, name) for name in ("notices", "watching", "give_up") if hasattr(module, name)}
    return Kind(point.name, opener, available(), **told)


def _missing(*_: object, **__: object) -> View:
    raise NeedsUser("This kind of folder is not installed whole.")
