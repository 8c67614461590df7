"""Which paths are for staff, and never for the branch that students follow.

Always: what lies in a folder `private` (in any case, at any depth), files `*.solution.*`, and `.syncstaff`
itself.  Besides: the patterns of the course, in `.syncstaff` files with gitignore's syntax.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from syncd.core.beside import may_be_shortened
from syncd.core.entry import RelPath, inside
from syncd.core.patterns import Lines, Patterns

STAFF_FILE = ".syncstaff"

_always = re.compile(
    r"(?:^|/)(?:private/|[^/]*\.solution\.[^/]*(?:/|\Z)|\.syncstaff\Z)", re.IGNORECASE | re.DOTALL
).search
# What `syncd.core.beside` puts into a name; a person's name may hold parentheses.
_label = re.compile(r" \((?:my copy|instructor's version|conflicted copy,[^/]*?,) \d{4}-\d\d-\d\d \d{4}\)(?: \d+)?")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The person has said that a guard does not hold for a file, or for all in a folder."""

    path: RelPath
    guard: str

    def covers(self, path: RelPath) -> bool:
        """Whether it is about this path."""
        return path == self.path or inside(path, self.path)


def is_allowed(allowed: Iterable[Allowed], path: RelPath, guard: str) -> bool:
    """Whether a guard does not hold for a path."""
    return any(each.guard == guard and each.covers(path) for each in allowed)


class Staff:
    """The rule for one state of a course."""

    def __init__(self, lines: Lines, allowed: Collection[Allowed] = ()) -> None:
        """`lines` gives the text of the `.syncstaff` in a folder."""
        self._patterns = Patterns(lines)
        self._allowed = tuple(each for each in allowed if each.guard == "staff")

    def is_staff(self, path: RelPath) -> bool:
        """Whether a file is for staff.  What was put beside a file of staff's is so, too."""
        if self._allowed and is_allowed(self._allowed, path, "staff"):
            return False
        if _always(path) or self._patterns.names(path):
            return True
        plain = RelPath(_label.sub("", path))
        if plain == path:
            return False
        if any(_label.search(name) and may_be_shortened(name) for name in path.split("/")):
            return True  # nobody can tell any more whose copy it is
        return _always(plain) is not None or self._patterns.names(plain)
