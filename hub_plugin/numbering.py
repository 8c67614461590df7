"""What versions are called: `v37` where somebody counts them, the start of the commit's id elsewhere.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub_plugin import reports, words
from hub_plugin.shown import Look, key


@dataclass(frozen=True, slots=True)
class Place:
    """A commit's place in one history."""

    line: str
    number: int


Places = Mapping[str, Place]
"""The places of commits by their ids."""


def places_in(publisher: Look | None, node: Look | None, known: Places) -> Places:
    """Number the commits that publisher and node list, and keep the numbers that were given before.

    The publisher counts its folder's whole history, the node what came to it since it follows the course: where both
    list a commit, what the node counts is shifted to fit.
    """
    found = dict(known)
    for folder in reports.folders(publisher.document) if publisher and publisher.document else ():
        line = folder_key(folder)
        found |= {commit.id: Place(line, commit.number) for commit in folder.recent if commit.id and commit.number}
    for course in reports.courses(node.document) if node and node.document else ():
        _number_course(course, found)
    return found


def label(commit: str, places: Places) -> str:
    """What a version is called."""
    place = places.get(commit)
    return words.version(place.number) if place else commit[:7]


def folder_key(folder: reports.Folder) -> str:
    """An instructor's folder's name among all pieces and lines."""
    return key("folder", folder.id, folder.folder)


def _number_course(course: reports.Course, found: dict[str, Place]) -> None:
    own = key("course", course.name)
    line, shift = own, 0
    for commit in course.recent:
        place = found.get(commit.id)
        if commit.number and place is not None and place.line != own:
            line, shift = place.line, place.number - commit.number
            break
    for commit in reversed(course.recent):  # one that came twice is known by its last number
        there = found.get(commit.id)
        if commit.number and commit.number + shift > 0 and (there is None or there.line == own):
            found[commit.id] = Place(line, commit.number + shift)
