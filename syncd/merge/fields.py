"""Merge JSON objects three-way, key by key, into values that still point into their texts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from syncd.merge.json_text import Piece, same_value


@dataclass(frozen=True, slots=True)
class Object:
    """An object put together from values of both sides."""

    members: Mapping[str, "Value"]


@dataclass(frozen=True, slots=True)
class Strings:
    """An array of new strings."""

    items: tuple[str, ...]


Value: TypeAlias = Piece | Object | Strings | str | int
"""What a merge decided on: a value as it stands in one of the texts, or a new one."""


class Clash(Enum):
    """Who wins where both sides changed a value, each in another way; objects go key by key first."""

    MINE = auto()
    THEIRS = auto()
    REPORT = auto()
    """Mine, and it is reported."""
    WHOLE = auto()
    """Theirs, and an object is one thing that must not be mixed."""
    UNION = auto()
    """Both lists of strings in one, without doubles; reported if they are something else."""


Rule: TypeAlias = Callable[[tuple[str, ...]], Clash]
"""From the path of keys to the winner."""


@dataclass(slots=True)
class Fields:
    """The merged members, and what there is to tell about them."""

    members: dict[str, Value]
    changed: bool
    """Whether anything of theirs went in."""
    kept: list[tuple[str, ...]]
    """Where mine stayed although theirs changed it too, in another way."""


Members: TypeAlias = Mapping[str, Piece]


def merge_fields(base: Members, mine: Members, theirs: Members, rule: Rule, path: tuple[str, ...] = ()) -> Fields:
    """Merge the members of three objects; keys keep the order of mine, new ones follow."""
    out = Fields({}, False, [])
    chosen: dict[str, Value] = {}
    for key in {**mine, **theirs}:
        value = _choose(base.get(key), mine.get(key), theirs.get(key), rule, (*path, key), out)
        if value is not None:
            chosen[key] = value
        out.changed = out.changed or value is not mine.get(key)
    out.members = {key: chosen[key] for key in key_order(mine, theirs) if key in chosen}
    return out


def _choose(
    base: Piece | None, mine: Piece | None, theirs: Piece | None, rule: Rule, path: tuple[str, ...], out: Fields
) -> Value | None:
    if same_value(base, theirs) or same_value(mine, theirs):
        return mine
    if same_value(base, mine):
        return theirs
    if mine is None or theirs is None:
        return mine or theirs  # an edit beats a deletion
    clash = rule(path)
    if clash is Clash.WHOLE:
        return theirs
    if isinstance(mine.value, dict) and isinstance(theirs.value, dict):
        before = base.members() if base and isinstance(base.value, dict) else {}
        inner = merge_fields(before, mine.members(), theirs.members(), rule, path)
        out.kept += inner.kept
        return Object(inner.members) if inner.changed else mine
    if clash is Clash.THEIRS:
        return theirs
    if clash is Clash.UNION and _strings(mine) and _strings(theirs):
        return _union(base, mine, theirs)
    if clash is not Clash.MINE:
        out.kept.append(path)
    return mine


def _strings(piece: Piece) -> bool:
    return isinstance(piece.value, list) and all(isinstance(item, str) for item in piece.value)


def _union(base: Piece | None, mine: Piece, theirs: Piece) -> Value:
    before = base.value if base and _strings(base) else []
    gone = {item for item in before if item not in theirs.value or item not in mine.value}
    both = dict.fromkeys([*mine.value, *theirs.value])
    union = [item for item in both if item not in gone]
    return mine if union == mine.value else Strings(tuple(union))


def key_order(mine: Iterable[str], new: Iterable[str]) -> list[str]:
    """Mine's keys and then the new ones; all sorted if mine are (as Jupyter writes them)."""
    keys = list(mine)
    order = list(dict.fromkeys([*keys, *new]))
    return sorted(order) if keys == sorted(keys) else order
