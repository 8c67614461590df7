"""Which files were renamed between two trees: git keeps no renames, so they are found again.

A content that is gone from one name and new at another was renamed.  Where several could be meant,
the same last name decides, then the order of paths; the same content is never matched twice.
Contents that are only alike need reading: `candidates` says which pairs are worth it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from syncd.core.entry import BlobId, Changes, RelPath

Moves = Mapping[RelPath, RelPath]
"""New name -> old name."""

_EMPTY = BlobId("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
_MOST_PAIRS = 400


def same_content(changes: Changes) -> dict[RelPath, RelPath]:
    """Renames that left the content as it was.  An empty file is no evidence."""
    gone: dict[BlobId, list[RelPath]] = defaultdict(list)
    for path, change in sorted(changes.items()):
        if change.base and change.now is None and change.base.blob != _EMPTY:
            gone[change.base.blob].append(path)
    moves: dict[RelPath, RelPath] = {}
    fresh = [(path, c.now) for path, c in sorted(changes.items()) if c.base is None and c.now and c.now.blob in gone]
    for same_name in (True, False):
        for path, now in fresh:
            left = gone[now.blob]
            old = next((old for old in left if not same_name or _name(old) == _name(path)), None)
            if path not in moves and old is not None:
                moves[path] = old
                left.remove(old)
    return moves


def candidates(changes: Changes, found: Moves) -> list[tuple[RelPath, RelPath]]:
    """Pairs (new, old) that may be a rename with an edit: same extension, neither matched yet; the likely first.

    Empty where there are too many to be worth it.
    """
    taken = set(found.values())
    gone = [p for p, c in changes.items() if c.base and c.now is None and p not in taken and not c.base.is_link]
    fresh = [p for p, c in changes.items() if c.base is None and c.now and p not in found and not c.now.is_link]
    pairs = _paired(fresh, gone, _extension)
    if len(pairs) > _MOST_PAIRS:
        pairs = _paired(fresh, gone, _name)[:_MOST_PAIRS]
    return sorted(pairs, key=lambda pair: (_name(pair[0]) != _name(pair[1]), pair))


def _paired(
    fresh: Iterable[RelPath], gone: Iterable[RelPath], key: Callable[[RelPath], str]
) -> list[tuple[RelPath, RelPath]]:
    """Pairs (new, old) of which `key` says the same; of more than anybody wants, only one more than is wanted."""
    named: dict[str, list[RelPath]] = defaultdict(list)
    for path in gone:
        named[key(path)].append(path)
    pairs = ((new, old) for new in fresh for old in named.get(key(new), ()))
    return list(islice(pairs, _MOST_PAIRS + 1))


def best(scored: Iterable[tuple[float, RelPath, RelPath]], least: float) -> dict[RelPath, RelPath]:
    """The best one-to-one matching of (likeness, new, old), taken greedily, none below `least`."""
    moves: dict[RelPath, RelPath] = {}
    taken: set[RelPath] = set()
    for likeness, new, old in sorted(scored, key=lambda each: (-each[0], each[1], each[2])):
        if likeness >= least and new not in moves and old not in taken:
            moves[new] = old
            taken.add(old)
    return moves


def folder_moves(moves: Moves, is_gone: Callable[[RelPath], bool]) -> dict[RelPath, RelPath]:
    """Old folder -> new folder, for folders that are gone and whose files mostly went to one other."""
    votes: dict[RelPath, Counter[RelPath]] = defaultdict(Counter)
    for new, old in moves.items():
        old_names, new_names = old.split("/"), new.split("/")
        while len(old_names) > 1 and len(new_names) > 1 and old_names[-1] == new_names[-1]:
            old_names.pop()
            new_names.pop()
            votes[RelPath("/".join(old_names))][RelPath("/".join(new_names))] += 1
    out: dict[RelPath, RelPath] = {}
    for old, to in votes.items():
        new = to.most_common(1)[0][0]
        if new != old and is_gone(old):
            out[old] = new
    return out


def _name(path: RelPath) -> str:
    return path.rpartition("/")[2]


def _extension(path: RelPath) -> str:
    stem, _, extension = _name(path).rpartition(".")
    return extension.lower() if stem else ""
