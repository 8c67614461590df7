"""Students' homes that other machines have, too: the node must know, or two nodes may serve one student's folders."""

import re
from collections.abc import Iterator
from pathlib import Path

from syncd.doctor.finding import Finding, good, problem
from syncd.doctor.node_place import NodeHere

_FOLDER = re.compile(r'\s*(?:"(/[^"]*)"|(/[^\s#]*))')
_OCTAL = re.compile(r"\\([0-7]{3})")


def homes(at: NodeHere) -> Iterator[Finding]:
    """A disk of this machine's own does not look shared, though this machine exports it."""
    if at.config is None:
        return
    given_away = sorted({str(top) for top in at.exported for home in at.homes if home.is_relative_to(top)})
    if at.config.shared_homes:
        yield good("Students' homes are shared: a student's folders are served on one node at a time.")
    elif given_away:
        yield problem(
            f"Other machines have students' homes, too (this one exports {', '.join(given_away)}): write "
            f"shared_homes = true into {at.settings}, then systemctl restart syncd-agents, "
            "and syncd agents end USER for each who is here."
        )


def exported(text: str) -> tuple[Path, ...]:
    """The folders that a file of exports(5) gives to other machines."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        named = _FOLDER.match(line)
        if named is not None:
            found.append(Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), named[1] or named[2])))
    return tuple(found)
