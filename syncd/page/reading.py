"""Reading the publisher's JSON: what is missing or of another kind counts as nothing, and no text deceives."""

from collections.abc import Sequence
from typing import Any

from syncd.page import words


def list_of(found: object) -> Sequence[Any]:
    """A list, or nothing."""
    return found if isinstance(found, list) else []


def number_of(found: object) -> int:
    """A whole number, or 0."""
    return int(found) if isinstance(found, int | float) and abs(found) < 1e15 else 0


def text_of(found: object) -> str:
    """A text that may be shown, or ''."""
    return words.plain(found) if isinstance(found, str) else ""
