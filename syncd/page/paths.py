"""Paths in links and forms: as ASCII, because names may hold bytes that are no text."""

from urllib.parse import quote, unquote


def quoted(path: str) -> str:
    """A path as links and forms carry it."""
    try:
        return quote(path, safe="", errors="surrogateescape")
    except UnicodeEncodeError:  # no file's name: half a surrogate pair that is no byte either
        return quote(path, safe="", errors="replace")


def unquoted(text: str) -> str:
    """What `quoted` was given."""
    return unquote(text, errors="surrogateescape")
