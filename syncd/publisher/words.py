"""What a commit did, in words that an instructor would use."""

from syncd.core.entry import Changes, RelPath

_NAMED = 3
"""So many files of a kind are named; more are counted."""


def message(changes: Changes) -> str:
    """The subject of a commit: `Update lab03.ipynb, add 2 files, delete notes.txt`."""
    kinds: dict[str, list[RelPath]] = {"update": [], "add": [], "delete": [], "rename": []}
    added = {path: change.now for path, change in changes.items() if change.base is None}
    for path, change in sorted(changes.items()):
        if change.now is None:
            to = next((new for new, entry in added.items() if entry == change.base), None)
            if to is not None:
                del added[to]
                kinds["rename"].append(RelPath(f"{path} to {_name(to)}"))
            else:
                kinds["delete"].append(path)
        elif change.base is not None:
            kinds["update"].append(path)
    kinds["add"] = sorted(added)
    parts = [f"{verb} {_files(paths)}" for verb, paths in kinds.items() if paths]
    text = ", ".join(parts) or "no change"
    return text[0].upper() + text[1:]


def merged(theirs: str, changes: Changes) -> str:
    """The subject of a commit that takes in somebody else's."""
    said = f"Take in the changes of {theirs or 'somebody else'}"
    what = message(changes)
    return f"{said}: {what[0].lower()}{what[1:]}" if changes else said


def files(count: int) -> str:
    """`1 file`, `5 files`."""
    return "1 file" if count == 1 else f"{count:,} files"


def _files(paths: list[RelPath]) -> str:
    if len(paths) > _NAMED:
        return files(len(paths))
    return " and ".join([", ".join(_name(path) for path in paths[:-1])] * (len(paths) > 1) + [_name(paths[-1])])


def _name(path: RelPath) -> str:
    name = path.rpartition("/")[2]
    return "".join(c if c.isprintable() else "?" for c in name)
