"""Merge one cell three-way: its source by lines, its outputs by whose source it is, the rest by key."""

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.merge.fields import Clash, Object, Strings, Value, key_order, merge_fields
from syncd.merge.json_text import Piece
from syncd.merge.notebook import Cell, same_cell, same_outputs, same_settings
from syncd.merge.text import merge_text

_RUN = ("outputs", "execution_count", "prompt_number")
_VOLATILE = {
    "collapsed",
    "scrolled",
    "execution",
    "ExecuteTime",
    "jupyter",
    "id",
    "outputId",
    "trusted",
    "vscode",
    "colab",
}
"""What notebook programs write into a cell's metadata by themselves: never worth a conflict."""


@dataclass(frozen=True, slots=True)
class MergedCell:
    """The merged cell; `kept` names what stayed mine against theirs, `taken` whether anything of theirs is in."""

    value: Value
    source: str
    kept: tuple[str, ...] = ()
    taken: bool = False


def changed_by_hand(base: Cell, now: Cell) -> bool:
    """Whether a person changed the cell; running it, or a program's metadata, does not count."""
    if base.kind != now.kind or base.source != now.source:
        return True
    return (base.value.get("attachments") or {}) != (now.value.get("attachments") or {})


def merge_cell(base: Cell | None, mine: Cell, theirs: Cell) -> MergedCell:
    """Merge two versions of a cell; without a base both made it."""
    if same_cell(mine, theirs) or (base and same_cell(base, theirs)):
        return MergedCell(mine.piece, mine.source)
    if base and same_cell(base, mine):
        return MergedCell(theirs.piece, theirs.source, taken=True)
    source = _merge_source(base, mine, theirs)
    if base and same_settings(base, theirs) and source.kind == mine.kind:
        if source.owner is mine and _run_owner(base, mine, theirs, source) is mine:
            return MergedCell(mine.piece, mine.source, ("",) if source.conflict else ())
        if source.owner is None:
            members = mine.piece.members()
            new = {mine.source_key: text_like(members[mine.source_key], source.text)}
            return MergedCell(Object({**members, **new}), source.text, taken=True)
    return _by_member(base, mine, theirs, source)


@dataclass(frozen=True, slots=True)
class _Source:
    kind: str
    text: str
    owner: Cell | None
    """The side that has exactly this source; None: merged."""
    conflict: bool = False


def _merge_source(base: Cell | None, mine: Cell, theirs: Cell) -> _Source:
    before = (base.kind, base.source) if base else None
    if (mine.kind, mine.source) == (theirs.kind, theirs.source) or before == (theirs.kind, theirs.source):
        return _Source(mine.kind, mine.source, mine)
    if before == (mine.kind, mine.source):
        return _Source(theirs.kind, theirs.source, theirs)
    if base and mine.kind == base.kind:
        kind = theirs.kind
    elif mine.kind == theirs.kind or (base and theirs.kind == base.kind):
        kind = mine.kind
    else:
        return _Source(mine.kind, mine.source, mine, conflict=True)
    sides = (base.source if base else "", mine.source, theirs.source)
    merged = merge_text(*(side.encode("utf-8", "surrogatepass") for side in sides))
    if merged.kept:
        return _Source(mine.kind, mine.source, mine, conflict=True)
    text = merged.content.decode("utf-8", "surrogatepass")
    owner = next((side for side in (mine, theirs) if (side.kind, side.source) == (kind, text)), None)
    return _Source(kind, text, owner)


def _run_owner(base: Cell | None, mine: Cell, theirs: Cell, source: _Source) -> Cell:
    """Whose outputs the cell shows: those that belong to its source, else mine."""
    if source.kind != mine.kind or (source.owner is theirs and mine.source != theirs.source):
        return theirs
    unchanged = base is not None and (base.kind, base.source) == (mine.kind, mine.source)
    if base and unchanged and source.owner is mine and same_outputs(base, mine) and not same_outputs(base, theirs):
        return theirs
    return mine


def _by_member(base: Cell | None, mine: Cell, theirs: Cell, source: _Source) -> MergedCell:
    before: Mapping[str, Piece] = base.piece.members() if base else {}
    here, there = mine.piece.members(), theirs.piece.members()
    fields = merge_fields(before, here, there, _rule)
    members = dict(fields.members)
    kept = ["its " + (path[0] if path[0] != "metadata" else "settings") for path in fields.kept]

    for key in _RUN:
        members.pop(key, None)
    if source.kind == "code":
        owner = _run_owner(base, mine, theirs, source)
        ran = here if owner is mine else there
        members.update({key: ran[key] for key in _RUN if key in ran})
    for name in ("source", "input"):
        members.pop(name, None)
    side = theirs if source.owner is theirs else mine
    pieces = there if side is theirs else here
    source_key = side.source_key
    if source.owner:
        members[source_key] = pieces[source_key]
    else:
        members[source_key] = text_like(pieces[source_key], source.text)
    members["cell_type"] = here["cell_type"] if source.kind == mine.kind else there["cell_type"]
    if source.kind == "code":
        members.pop("attachments", None)
    elif "attachments" in here:
        members.update(_still_shown(members.get("attachments"), here["attachments"], source.text))
    if "id" in here:
        members["id"] = here["id"]
    if source.conflict:
        kept.insert(0, "")

    ordered = {key: members[key] for key in key_order(here, members) if key in members}
    if ordered == dict(here):
        return MergedCell(mine.piece, mine.source, tuple(kept))
    return MergedCell(Object(ordered), source.text, tuple(kept), taken=True)


def text_like(like: Piece, text: str) -> Value:
    """A new multi-line string in the form of another: one string, or a list of lines."""
    if isinstance(like.value, str):
        return text
    return Strings(tuple(text.splitlines(keepends=True)))


def source_like(value: Value, cell: Cell, form: type) -> Value:
    """A merged cell with its source as one string or as a list of lines, as `form` says."""
    members = value.members() if isinstance(value, Piece) else value.members if isinstance(value, Object) else {}
    source = members.get(cell.source_key)
    if not isinstance(source, Piece) or isinstance(source.value, form):
        return value
    text = source.value if isinstance(source.value, str) else "".join(source.value)
    new: Value = text if form is str else Strings(tuple(text.splitlines(keepends=True)))
    return Object({key: new if key == cell.source_key else item for key, item in members.items()})


def _still_shown(merged: Value | None, mine: Piece, source: str) -> dict[str, Value]:
    """The attachments, if theirs took away some that the merged source still shows."""
    have: Mapping[str, Value] = {}
    if isinstance(merged, Piece):
        have = merged.members()
    elif isinstance(merged, Object):
        have = merged.members
    lost = {k: v for k, v in mine.members().items() if k not in have and "attachment:" + k in source}
    return {"attachments": Object({**have, **lost})} if lost else {}


def _rule(path: tuple[str, ...]) -> Clash:
    if path[0] == "metadata" and len(path) > 1:
        if path[1] == "tags":
            return Clash.UNION
        return Clash.MINE if path[1] in _VOLATILE else Clash.REPORT
    if path[0] == "attachments" or path[0] == "level":
        return Clash.REPORT
    return Clash.MINE
