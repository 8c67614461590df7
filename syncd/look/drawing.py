"""Templates, and the files beside a page.  Everything said is escaped here, by Jinja2."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Static:
    """A file that a page loads; its name changes with its content, so that it may be kept for ever."""

    name: str
    content: bytes
    type: str


def statics_of(package: str) -> Mapping[str, Static]:
    """The files that a package's pages load, those that all pages share among them, by their names in the sources."""
    found = {}
    for owner in (__package__, package):
        for file in files(owner).joinpath("static").iterdir():
            stem, _, ending = file.name.rpartition(".")
            if ending in _TYPES:
                content = file.read_bytes()
                name = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
                found[file.name] = Static(name, content, _TYPES[ending])
    return found


def templates_of(package: str) -> "Environment":
    """A package's templates."""
    # Most of the time nobody looks, and the templates' machinery is a twentieth of an idle publisher's memory.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
