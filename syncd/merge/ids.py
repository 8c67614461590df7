"""Give every cell of a notebook an id of its own, as nbformat 4.5 asks."""

from collections.abc import Sequence
from hashlib import sha256

from syncd.merge.fields import Object, Value, key_order
from syncd.merge.json_text import Piece


def name_cells(
    values: Sequence[Value], theirs: Sequence[str], mine: Sequence[str], sources: Sequence[str]
) -> list[Value]:
    """The cells with theirs' id where theirs has one (so that the next merge finds it), else mine, else a new one.

    New ids follow from the content, so that the same merge gives the same bytes everywhere.
    """
    names = [""] * len(values)
    used: set[str] = set()
    for wanted in (theirs, mine):
        for n, name in enumerate(wanted):
            if not names[n] and name and name not in used:
                names[n] = name
                used.add(name)
    for n, source in enumerate(sources):
        if not names[n]:
            names[n] = _fresh(source, used)
            used.add(names[n])
    return [_named(value, name) for value, name in zip(values, names, strict=True)]


def _fresh(source: str, used: set[str]) -> str:
    salt = 0
    while True:
        name = sha256(f"{salt}\0{source}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
        if name not in used:
            return name
        salt += 1


def _named(value: Value, name: str) -> Value:
    if isinstance(value, Piece):
        if value.value.get("id") == name:
            return value
        members: dict[str, Value] = dict(value.members())
    elif isinstance(value, Object):
        members = dict(value.members)
    else:
        raise TypeError("a cell is an object")
    old = members.get("id")
    if old == name or (isinstance(old, Piece) and old.value == name):
        return value
    members["id"] = name
    return Object({key: members[key] for key in key_order((k for k in members if k != "id" or old), members)})
