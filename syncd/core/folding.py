"""Names that a disk takes for one: by case (Windows, macOS), or by Unicode form (macOS).

A commit may hold several of such names, its twins; the disk holds one of them.  Rules that bind this file:

- The one that lies in the folder keeps the place; the others are hidden: carried in commits as they are.
- What is hidden is never gone: it is neither deleted nor changed because it doesn't lie in the folder.
- Two names that no disk we know tells apart are twins; taking too many for twins loses nothing.
"""

import unicodedata
from collections.abc import Callable, Collection, Iterable
from enum import Flag


class Folding(Flag):
    """What a disk does not tell apart."""

    NOTHING = 0
    CASE = 1
    FORM = 2


def fold(name: str, folding: Folding) -> str:
    """Equal for names that such a disk takes for one."""
    if name.isascii():
        return name.lower() if Folding.CASE in folding else name
    if Folding.CASE in folding:
        name = unicodedata.normalize("NFD", name).casefold() if Folding.FORM in folding else name.casefold()
    return unicodedata.normalize("NFC", name) if Folding.FORM in folding else name


def twins(names: Iterable[str], folding: Folding) -> list[list[str]]:
    """The names that are taken for one, in order; names that stand alone are left out."""
    if not folding:
        return []
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(fold(name, folding), []).append(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def hidden(
    kept: Collection[str], there: Collection[str], lay_there: Callable[[str], bool], folding: Folding
) -> dict[str, str | None]:
    """Of the names `kept` in a commit those that can't lie in the folder, each with the name that has its place.

    `there` are the names in the folder, and `lay_there` tells which names were seen there before.  The place is free
    (None) for one of each group at most: it is to be put there.
    """
    out: dict[str, str | None] = {}
    groups = twins(kept, folding)
    if not groups:
        return out
    present = set(there)
    by_fold: dict[str, str] = {}
    for name in sorted(present, reverse=True):
        by_fold[fold(name, folding)] = name
    for group in groups:
        missing = [name for name in group if name not in present]
        holder = next((name for name in group if name in present), by_fold.get(fold(group[0], folding)))
        known = {name for name in missing if lay_there(name)} if len(missing) == len(group) else set[str]()
        waiting = [name for name in missing if name not in known]
        for name in waiting:
            out[name] = holder or (None if name == waiting[0] else waiting[0])
    return out
