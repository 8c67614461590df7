"""`syncd remove`: a folder becomes one like any other; nothing in it, in its history or at its remote changes."""

from pathlib import Path

from syncd.publisher.registry import Registry
from syncd.publisher.students_setup import check_nothing_planned


def remove_folder(state: Path, what: str) -> str:
    """Take a folder off the list; a sentence.  NeedsUser while releases are planned.  A publisher lets go by itself."""
    registry = Registry(state)
    folder = registry.find(what)
    check_nothing_planned(registry, folder)
    registry.remove(folder.id)
    return f"{folder.path} is a folder like any other now; {folder.remote} stays as it is."
