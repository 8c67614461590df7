"""What never leaves the machine because no person made it: litter of systems and editors, our own asides.

Rules of a course (`.gitignore`, `.syncignore`) are further predicates of the same shape, joined by `either`.
"""

import re
from collections.abc import Callable

from syncd.core.entry import RelPath

Ignored = Callable[[RelPath, bool], bool]
"""Whether a path is left alone; told the path, and whether it is a folder."""

ASIDE = ".~syncd-"
"""How the names of our own unfinished files start; see `syncd.folder.place`."""

_NAMES = frozenset(
    {
        ".git",
        ".ipynb_checkpoints",
        "__pycache__",
        ".ds_store",
        ".spotlight-v100",
        ".trashes",
        ".fseventsd",
        ".virtual_documents",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "$recycle.bin",
        "system volume information",
        "icon\r",
    }
)
_PATTERNS = (
    ".~*",  # LibreOffice's locks, and ours
    "~$*",  # Word, Excel
    "._*",  # macOS on foreign disks
    "*.swp",
    "*.swo",
    ".#*",  # Emacs
    "#*#",
    "*~",
    ".nfs*",
    ".fuse_hidden*",
    ".goutputstream-*",
    ".trash-*",
    "*.crdownload",
)
_name = "|".join([*map(re.escape, sorted(_NAMES)), *(re.escape(p).replace(r"\*", "[^/]*") for p in _PATTERNS)])
# All names of a path at once: this is asked for every file of a folder at every look.
_litter = re.compile(rf"(?:^|/)(?:{_name})(?:/|\Z)", re.IGNORECASE | re.DOTALL).search


RULES = _name
"""Other text whenever `ignored` judges otherwise than before."""


def litter(name: str) -> bool:
    """Whether a file or folder of this name is nobody's work, wherever it lies."""
    return _litter(name) is not None


def ignored(path: RelPath, folder: bool = False) -> bool:
    """Whether any name of a path is litter."""
    return _litter(path) is not None


def either(*rules: Ignored) -> Ignored:
    """A rule that ignores what any of the rules ignores."""
    return lambda path, folder: any(rule(path, folder) for rule in rules)
