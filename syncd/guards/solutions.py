"""A content without what only staff may see: notebooks by cells, other texts by lines.

What holds nothing of the kind comes back byte for byte.  What holds a marker that can't be followed
raises CannotStrip: it must not go to students at all.  Archives and other binary files are not opened.
"""

import re

from syncd.core.entry import RelPath
from syncd.guards.markers import FORBIDDEN, CannotStrip, Kind, strip_lines

__all__ = ["CannotStrip", "could_hold", "strip"]

_suspect = re.compile(rb"SOLUTION|HIDDEN TESTS|MARK SCHEME").search
# In JSON a marker may be written with escapes, and cells may be marked by metadata alone.
_suspect_notebook = re.compile(
    rb'SOLUTION|HIDDEN TESTS|MARK SCHEME|\\u00[2-7]|"nbgrader"|"tags"|(?i:#\s+(?:begin|end|assignment)|#\s*ignore)'
).search
_WIDE = tuple(word.encode(code) for word in FORBIDDEN for code in ("utf-16-le", "utf-16-be"))

_LANGUAGES = {
    "py": "python", "pyw": "python", "r": "r", "jl": "julia", "m": "matlab", "sas": "sas", "java": "java",
    "js": "javascript", "ts": "typescript", "c": "c", "h": "c", "cc": "c++", "cpp": "c++", "hpp": "c++",
    "scala": "scala", "rs": "rust", "go": "go", "kt": "kotlin", "sql": "sql", "hs": "haskell", "sh": "bash",
    "rb": "ruby", "pl": "perl",
}  # fmt: skip


def could_hold(path: RelPath, content: bytes) -> bool:
    """A quick look that never misses: whether `strip` may have anything to do."""
    return bool((_suspect_notebook if _is_notebook(path) else _suspect)(content)) or (
        b"\0" in content and any(word in content for word in _WIDE)
    )


def strip(path: RelPath, content: bytes) -> bytes:
    """The content as students may have it.  CannotStrip if that can't be told."""
    if not could_hold(path, content):
        return content
    if not _is_notebook(path):
        return _strip_text(path, content)
    from syncd.guards.staff_cells import strip_notebook  # few notebooks come so far

    return strip_notebook(content)


def _strip_text(path: RelPath, content: bytes) -> bytes:
    coding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        text = content.decode(coding, "surrogateescape" if coding == "utf-8" else "strict")
    except UnicodeDecodeError as problem:
        raise CannotStrip("is no text that can be read, and may hold solutions") from problem
    if "\0" in text:
        if any(word.encode() in content for word in FORBIDDEN) or any(word in content for word in _WIDE):
            raise CannotStrip("is no text, and holds marks of solutions")
        return content
    language = _LANGUAGES.get(path.rpartition("/")[2].rpartition(".")[2].lower(), "text")
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(newline)
    stripped = strip_lines(lines, Kind(language))
    if stripped == lines:
        return content
    out = newline.join(stripped)
    if any(word in out for word in FORBIDDEN):
        raise CannotStrip("holds marks of solutions that can't be followed")
    return out.encode(coding, "surrogateescape" if coding == "utf-8" else "strict")


def _is_notebook(path: RelPath) -> bool:
    return path.lower().endswith(".ipynb")
