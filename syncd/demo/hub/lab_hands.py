"""Hands in a server of the hub: every read and write goes the way that JupyterLab's do."""

import json
from dataclasses import dataclass
from urllib.error import HTTPError

from syncd.core.errors import Stop
from syncd.demo.hands import Files
from syncd.demo.hub.browser import Browser
from syncd.demo.hub.people import Person
from syncd.demo.witness import testify

_CHECKPOINTS = ".ipynb_checkpoints"
"""Jupyter's own copies beside a notebook, which nobody publishes."""


@dataclass(frozen=True, slots=True)
class LabHands:
    """See `Hands`; `folder` is where the course is, from the home."""

    person: Person
    browser: Browser
    folder: str
    course: str

    def read(self, path: str) -> bytes:
        """See `Hands`."""
        return self.browser.read(f"{self.folder}/{path}")

    def names(self, folder: str) -> list[str]:
        """See `Hands`."""
        return [entry["name"] for entry in self.browser.contents("GET", f"{self.folder}/{folder}")["content"]]

    def save(self, path: str, text: str) -> None:
        """See `Hands`."""
        folder, _, name = path.rpartition("/")
        if folder:
            self._make(folder)
        saved = {"type": "file", "format": "text", "content": text}
        if name.endswith(".ipynb"):
            saved = {"type": "notebook", "format": "json", "content": json.loads(text)}
        self.browser.contents("PUT", f"{self.folder}/{path}", saved)

    def rename(self, path: str, new: str) -> None:
        """See `Hands`."""
        self.browser.contents("PATCH", f"{self.folder}/{path}", {"path": f"{self.folder}/{new}"})

    def remove(self, path: str) -> None:
        """See `Hands`."""
        self.browser.contents("DELETE", f"{self.folder}/{path}")

    def restore(self, path: str) -> None:
        """See `Hands`: by the button of the person's own page."""
        pages = self.browser.pages
        form = {"form_token": self.browser.form_token(self.browser.text(pages)), f"path-{self.course}": path}
        try:
            self.browser.text(f"{pages}courses/{self.course}/restore", form)
        except HTTPError as error:
            raise Stop(f"{self.person.name} could not restore {path}: the page says {error}") from error

    def files(self) -> Files:
        """See `Hands`: what a process of that person sees, with modes and links, which Lab does not tell."""
        found = testify(self.person.home / self.folder, self.person.account)
        return {path: what for path, what in found.items() if _CHECKPOINTS not in path.split("/")}

    def _make(self, folder: str) -> None:
        try:
            self.names(folder)
        except HTTPError:
            self.browser.contents("PUT", f"{self.folder}/{folder}", {"type": "directory"})
