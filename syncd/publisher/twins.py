"""Names of a commit that the folder's disk takes for one: which of them lies in the folder, and what is hidden.

A hidden file is carried in commits as it is, as dangerous names are, and told to the person; when the name that has
its place goes, it is put there before that is committed.  Deleting a folder deletes what is hidden in it as well.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial

from syncd.core.entry import Entry, RelPath, inside, parents
from syncd.core.folding import fold, hidden
from syncd.folder import place
from syncd.folder.hash import Hashed
from syncd.folder.root import InTheWay
from syncd.folder.statcache import Known
from syncd.git.trees import Item, Items
from syncd.publisher.workspace import Workspace


def hidden_in(
    here: Workspace, folder: str, items: Items, there: Collection[str], before: Mapping[str, Known] | None = None
) -> dict[str, str | None]:
    """Of what a commit holds in one folder ('' is the top) that which can't lie beside `there`: see `hidden`.

    `before` is what the cache knew of the folder, if it was asked already.
    """
    folding = here.root.folding
    if not folding:
        return {}
    prefix = folder + "/" if folder else ""
    kept = [text for name, item in items.items() if here.syncs(RelPath(prefix + (text := _text(name))), item.entry)]

    def lay_there(name: str) -> bool:
        item = items[_bytes(name)]
        if item.is_folder:
            return here.cache.knows_below(prefix + name)
        known = here.cache.get(RelPath(prefix + name)) if before is None else before.get(name)
        return known is not None and known.entry == item.entry

    return hidden(kept, there, lay_there, folding)


def hides(here: Workspace, tree: bytes | None, path: RelPath) -> tuple[RelPath, RelPath | None] | None:
    """The part of a path that can't lie in the folder, and what has its place (None: nothing); None if all can."""
    if not here.root.folding:
        return None
    above = ""
    for name in path.split("/"):
        items = here.history.items(tree)
        prefix = above + "/" if above else ""
        found = hidden_in(here, above, items, here.root.names(above))
        if name in found:
            holder = found[name]
            return RelPath(prefix + name), None if holder is None else RelPath(prefix + holder)
        item = items.get(_bytes(name))
        if item is None or not item.is_folder:
            return None
        tree, above = item.id, prefix + name
    return None


def also(here: Workspace, tree: bytes | None, path: RelPath) -> set[RelPath]:
    """What must be looked at with a path: it, or what is above it, as the disk spells it, and its twins in a tree."""
    folding, above = here.root.folding, ""
    out: set[RelPath] = set()
    if not folding:
        return out
    for name in path.split("/"):
        prefix, mine = above + "/" if above else "", fold(name, folding)
        names = {*here.root.names(above), *map(_text, here.history.items(tree))}
        out |= {RelPath(prefix + each) for each in names if each != name and fold(each, folding) == mine}
        item = here.history.below(tree, name)
        tree = item.id if item is not None and item.is_folder else None
        above = prefix + name
    return out


def is_twin(here: Workspace, name: str, other: str) -> bool:
    """Whether two names are spelt differently, and are one for the folder's disk."""
    folding = here.root.folding
    return bool(folding) and name != other and fold(name, folding) == fold(other, folding)


def sentence(path: RelPath, holder: RelPath) -> str:
    """What to say of a hidden path."""
    return (
        f"“{path}” can't lie beside “{holder}”, because this computer's disk takes the two names for one: it stays on "
        "the remote as it is. Rename one of the two there to have both."
    )


def unhide(here: Workspace, tree: bytes | None, path: RelPath) -> None:
    """Put what was hidden at a path, a file or a folder, into its place that is free now."""
    for file, entry in _files(here, tree, path):
        content: place.Content = (
            here.history.read(entry.blob) if entry.is_link else partial(here.history.copy, entry.blob)
        )
        began = here.cache.now_ns()
        try:
            seen = place.write(here.root, file, content, entry.mode, None)
        except (place.Meanwhile, InTheWay):
            continue  # somebody took the place; it stays hidden
        here.cache.put([(Hashed(seen, entry), began)])


def for_folder(
    here: Workspace, ours: bytes | None, after: bytes | None, edits: Mapping[RelPath, Entry | None]
) -> tuple[dict[RelPath, Entry | None], frozenset[RelPath]]:
    """The edits of a merge that concern the folder, and which of them were hidden before.

    The folder's tree is `ours` and will be `after`.
    """
    if not here.root.folding:
        return dict(edits), frozenset()
    out = dict(edits)
    shown: set[RelPath] = set()
    all_hidden: set[str] = set()
    for folder in sorted({str(above) for path in edits for above in ("", *parents(path))}, key=len):
        if any(above in all_hidden for above in (folder, *parents(RelPath(folder)))):
            continue
        was, items = _items(here, ours, folder), _items(here, after, folder)
        prefix = folder + "/" if folder else ""
        there = here.root.names(folder)
        before = hidden_in(here, folder, was, there)
        hidden = hidden_in(here, folder, items, [name for name in there if _bytes(name) in items])
        for name in before.keys() | hidden.keys():
            path = RelPath(prefix + name)
            if hidden.get(name) is None:
                files = dict(_files(here, after, path))
                shown |= files.keys()
                out.update(files)
            else:
                all_hidden.add(path)
                for each in [each for each in out if each == path or inside(each, path)]:
                    del out[each]
                    shown.discard(each)
    return out, frozenset(shown)


def _files(here: Workspace, tree: bytes | None, path: RelPath) -> Iterator[tuple[RelPath, Entry]]:
    item: Item | None = here.history.below(tree, path)
    if item is not None and item.is_folder:
        for each, entry in here.history.files(item.id, path + "/"):
            if here.syncs(each, entry):
                yield each, entry
    elif item is not None and item.entry is not None:
        yield path, item.entry


def _items(here: Workspace, tree: bytes | None, folder: str) -> Items:
    item = here.history.below(tree, folder)
    return here.history.items(item.id) if item is not None and item.is_folder else {}


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
