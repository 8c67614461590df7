"""What a commit did, in words that an instructor would use."""

import re

from syncd.core.entry import Changes, Entry, RelPath

_NAMED = 3
"""So many files of a kind are named; more are counted."""

_COUNTED = {
    "data file": "csv tsv json jsonl ndjson parquet feather arrow xls xlsx ods sav dta npy npz mat h5 hdf5 nc rds "
    "sqlite db geojson shp",
    "image": "png jpg jpeg gif svg webp bmp tif tiff",
}
"""What nobody wants to read the names of, by their extensions."""
_KIND = {extension: kind for kind, extensions in _COUNTED.items() for extension in extensions.split()}
_NUMBERED = re.compile(r"([^\W\d_]{2,})[ _-]?0*(\d{1,3})\.ipynb").fullmatch
"""Notebooks that have a title: `lab03.ipynb` is lab 3."""


def message(changes: Changes) -> str:
    """The subject of a commit: `Update lab 3, add 2 data files, delete notes.txt`."""
    kinds: dict[str, list[RelPath]] = {"update": [], "add": [], "delete": []}
    added: dict[Entry, list[RelPath]] = {}
    for path, change in sorted(changes.items(), reverse=True):
        if change.base is None and change.now is not None:
            added.setdefault(change.now, []).append(path)
    renamed: list[str] = []
    for path, change in sorted(changes.items()):
        if change.now is None:
            to = added.get(change.base) if change.base is not None else None
            if to:
                renamed.append(f"{_name(path)} to {_name(to.pop())}")
            else:
                kinds["delete"].append(path)
        elif change.base is not None:
            kinds["update"].append(path)
    kinds["add"] = sorted(path for paths in added.values() for path in paths)
    parts = [f"{verb} {_files(paths)}" for verb, paths in kinds.items() if paths]
    if renamed:
        parts.append(f"rename {_listed(renamed) if len(renamed) <= _NAMED else files(len(renamed))}")
    text = ", ".join(parts) or "no change"
    return text[0].upper() + text[1:]


def merged(theirs: str, changes: Changes) -> str:
    """The subject of a commit that takes in somebody else's."""
    said = f"Take in the changes of {theirs or 'somebody else'}"
    what = message(changes)
    return f"{said}: {what[0].lower()}{what[1:]}" if changes else said


def short(path: str) -> str:
    """A path for a sentence."""
    return path if len(path) < 80 else path[:77] + "…"


def undoing(subject: str) -> str:
    """The subject of a commit that undoes this one; undoing an undoing is doing it again."""
    for verb, opposite in (("Undo", "Redo"), ("Redo", "Undo")):
        if subject.startswith(f"{verb} “") and subject.endswith("”"):
            return opposite + subject[len(verb) :]
    return f"Undo “{subject}”"


def files(count: int) -> str:
    """`1 file`, `5 files`."""
    return "1 file" if count == 1 else f"{count:,} files"


def _files(paths: list[RelPath]) -> str:
    """Data and images counted, others named as long as they are few."""
    counted: dict[str, list[RelPath]] = {}
    for path in paths:
        counted.setdefault(_KIND.get(path.rpartition(".")[2].lower(), ""), []).append(path)
    several = {kind: len(of_kind) for kind, of_kind in counted.items() if kind and len(of_kind) > 1}
    named = [path for path in paths if _KIND.get(path.rpartition(".")[2].lower(), "") not in several]
    if len(named) > _NAMED:
        return f"{len(paths):,} notebooks" if all(path.endswith(".ipynb") for path in paths) else files(len(paths))
    return _listed([*_titles(named), *(f"{count:,} {kind}s" for kind, count in sorted(several.items()))])


def _titles(paths: list[RelPath]) -> list[str]:
    titles = [_title(path) for path in paths]
    return titles if len(set(titles)) == len(titles) else [_name(path) for path in paths]


def names(path: RelPath) -> set[str]:
    """All that a message may call a file."""
    return {_name(path), _title(path)}


def _title(path: RelPath) -> str:
    found = _NUMBERED(_name(path))
    return f"{found[1]} {found[2]}" if found else _name(path)


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1])] * (len(words) > 1) + [words[-1]])


def _name(path: str) -> str:
    name = path.rpartition("/")[2]
    return "".join(c if c.isprintable() else "?" for c in name)
