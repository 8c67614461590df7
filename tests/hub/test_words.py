"""The pages' texts are ready for translation: each goes through gettext, and a catalogue that lies there is taken."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo

WORDS = Path(__file__).parent.parent.parent / "hub_plugin/words"
TOLD_APART = {
    "",
    " ...",
    ".",
    ", ",
    "s",
    "…",
    "minute",
    "hour",
    "day",
    "month",
    "year",
    "Synced Folders",
    "overlay",
    "plain",
}


def literals(node: ast.AST) -> Iterator[str]:
    """Texts that nobody could translate."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "plural"):
        return
    if isinstance(node, ast.FormattedValue):
        yield from literals(node.value)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node):
        if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):  # a docstring
            yield from literals(child)


@pytest.mark.parametrize("path", sorted(WORDS.glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_every_text_goes_through_gettext(path: Path) -> None:
    if path.stem != "catalogue":
        functions = [node for node in ast.parse(path.read_text()).body if not isinstance(node, ast.ImportFrom)]
        bodies = [
            part
            for node in functions
            for part in (node.body if isinstance(node, ast.FunctionDef) else [node])
            if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        ]
        assert {text for body in bodies for text in literals(body)} <= TOLD_APART


def test_a_catalogue_in_another_language_is_taken(tmp_path: Path) -> None:
    found = Catalog(locale="de")
    for _, _, message, _, _ in extract_from_dir(str(WORDS), keywords={"_": None, "plural": (1, 2)}):
        found.add(message)
    assert {"Update now", "Needs attention", ("{count} file", "{count} files")} <= {each.id for each in found}
    found["Update now"].string = "Jetzt aktualisieren"
    found["{count} file"].string = ("{count} Datei", "{count} Dateien")
    made = BytesIO()
    write_mo(made, found)
    folder = tmp_path / "de/LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "synced_folders.mo").write_bytes(made.getvalue())
    asked = (
        "from hub_plugin import words; print(words.UPDATE_NOW, words.files(2), words.files(1), words.RESTORE_BUTTON)"
    )
    environment = {**os.environ, "LANGUAGE": "de", "TEXTDOMAINDIR": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    said = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == "Jetzt aktualisieren 2 Dateien 1 Datei Restore\n"
