"""`syncd remove`: a folder becomes one like any other; nothing in it, in its history or at its remote changes."""

from syncd.publisher.registry import Folder, Registry
from syncd.publisher.students_setup import check_nothing_planned


def remove_folder(registry: Registry, folder: Folder) -> str:
    """Take a folder off the list; a sentence.  NeedsUser while releases are planned.  A publisher lets go by itself."""
    check_nothing_planned(registry, folder)
    registry.remove(folder.id)
    return f"{folder.path} is a folder like any other now; {folder.remote} stays as it is."
