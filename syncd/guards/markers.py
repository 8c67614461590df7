"""Lines between solution markers, replaced as nbgrader and Otter Assign replace them.

Sources: nbgrader 0.9 `preprocessors/clearsolutions.py`, `clearhiddentests.py`, `clearmarkingscheme.py`;
otter-grader 6 `assign/solutions.py`, `docs/otter_assign/notebook_format.rst`.  Both complain of markers
without a partner; here that means that the content must not go out at all.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_NBGRADER_STUBS = {
    "python": "# YOUR CODE HERE\nraise NotImplementedError()",
    "r": "# YOUR CODE HERE\nfail()",
    "matlab": "% YOUR CODE HERE\nerror('No Answer Given!')",
    "octave": "% YOUR CODE HERE\nerror('No Answer Given!')",
    "sas": "/* YOUR CODE HERE */\n %notImplemented;",
    "java": "// YOUR CODE HERE",
    "text": "YOUR ANSWER HERE",
}
_COMMENTS = {"//": ("c++", "c", "javascript", "typescript", "scala", "rust", "go", "kotlin"), "--": ("sql", "haskell")}
_TEXT = "text"

REGIONS = ("HIDDEN TESTS", "MARK SCHEME")
"""Taken out without a trace, from the line of BEGIN to that of END."""

FORBIDDEN = ("BEGIN SOLUTION", "END SOLUTION", *(f"{edge} {name}" for edge in ("BEGIN", "END") for name in REGIONS))
"""What no content for students may hold any more."""

_marks = re.compile(rf"(BEGIN|END) (SOLUTION|{'|'.join(REGIONS)})")
_otter_begin = re.compile(r"\s*# BEGIN SOLUTION( NO PROMPT)?")
_target = r"[\w.]+(?:\[[^\]#=]*\])*"
_otter_assignment = re.compile(rf"(\s*{_target}(?:\s*,\s*{_target})*\s*=)(?!=).*# ?SOLUTION")
_otter_line = re.compile(r"(\s*).*# ?SOLUTION")
_r_assignment = re.compile(r"(\s*[\w. $()]*(?:=|<-)).*# ?SOLUTION")
_dropped = ("# SOLUTION NO PROMPT", "#SOLUTION NO PROMPT", "# BEGIN PROMPT", "# END PROMPT")


class CannotStrip(ValueError):
    """There are markers that can't be followed, so that the whole content must stay; says why in a few words."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the lines are: `language` as a kernel names it ('text' for prose), and which tools are at work."""

    language: str
    nbgrader: bool = False
    otter: bool = False


def nbgrader_stub(language: str) -> str:
    """What nbgrader puts for a solution; where it knows no stub, a comment of that language."""
    found = _NBGRADER_STUBS.get(language)
    if found is None:
        mark = next((mark for mark, languages in _COMMENTS.items() if language in languages), "#")
        found = f"{mark} YOUR CODE HERE"
    return found


def otter_prompt(language: str) -> str:
    """What Otter puts for a block."""
    return "# YOUR CODE HERE" if language == "r" else "..."


def strip_lines(lines: Sequence[str], kind: Kind) -> list[str]:
    """The lines without solutions and hidden tests; the same lines where there are none.  CannotStrip."""
    _check(lines)
    out = _without_solutions(lines, kind)
    for name in REGIONS:
        out = _without_region(out, name)
    if kind.language == _TEXT:
        return out
    return _without_marked(out, kind)


def _check(lines: Sequence[str]) -> None:
    """Marks must fit together over all kinds: one kind's END would else end what another's END should."""
    begun: list[str] = []
    for line in lines:
        for edge, name in _marks.findall(line):
            if edge == "BEGIN":
                if name in begun:
                    raise CannotStrip(f"has a BEGIN {name} within another")
                begun.append(name)
            elif name not in begun:
                raise CannotStrip(f"has an END {name} without a BEGIN {name}")
            elif begun.pop() != name:
                raise CannotStrip(f"has an END {name} within a part of another kind")
    if begun:
        raise CannotStrip(f"has a BEGIN {begun[-1]} without an END {begun[-1]}")


def _without_solutions(lines: Sequence[str], kind: Kind) -> list[str]:
    def stub(line: str) -> list[str]:
        indent = line[: len(line) - len(line.lstrip())]
        otter = None if kind.nbgrader or kind.language == _TEXT else _otter_begin.match(line)
        if otter:
            return [] if otter[1] else [indent + otter_prompt(kind.language)]
        return [indent + each for each in nbgrader_stub(kind.language).split("\n")]

    return _without(lines, "SOLUTION", stub)


def _without_region(lines: Sequence[str], name: str) -> list[str]:
    return _without(lines, name, lambda _: [])


def _without(lines: Sequence[str], name: str, stub: Callable[[str], list[str]]) -> list[str]:
    begin, end = f"BEGIN {name}", f"END {name}"
    out: list[str] = []
    inside = False
    for line in lines:
        if begin in line:
            out += stub(line)
            inside = end not in line.partition(begin)[2]
        elif end in line:
            inside = False
        elif not inside:
            out.append(line)
    return out


def _without_marked(lines: Sequence[str], kind: Kind) -> list[str]:
    """Otter's rules for single lines."""
    if not any("SOLUTION" in line or "PROMPT" in line or "# SEED" in line for line in lines):
        return list(lines)
    out = []
    for line in lines:
        bare = line.rstrip()
        if bare.endswith(_dropped) or (kind.otter and bare.endswith("# SEED")):
            continue
        assignment = (_r_assignment if kind.language == "r" else _otter_assignment).match(line)
        if assignment:
            out.append(assignment[1] + (" NULL # YOUR CODE HERE" if kind.language == "r" else " ..."))
        elif (whole := _otter_line.match(line)) is not None:
            out.append(whole[1] + otter_prompt(kind.language))
        else:
            out.append(line)
    return out
