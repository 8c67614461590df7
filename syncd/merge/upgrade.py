"""nbformat 3 to 4, as Jupyter does it on save, so that the two can be merged."""

import json
from typing import Any

from syncd.merge.json_style import in_raw, writes_ascii
from syncd.merge.json_text import BrokenJson, Page

_MIME = {
    "text": "text/plain",
    "html": "text/html",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "latex": "text/latex",
    "json": "application/json",
    "javascript": "application/javascript",
}


def upgraded(page: Page) -> str:
    """The text of an nbformat 3 notebook as nbformat 4.0 in the same layout, without ids.

    Values are written anew here: floats as Python prints them, of duplicate keys the last.
    Raises BrokenJson if the parts are not of the types that nbformat 3 asks for.
    """
    try:
        book = json.loads(page.text)
        metadata = {k: v for k, v in book.get("metadata", {}).items() if k not in ("name", "signature")}
        cells = [_cell(dict(cell)) for sheet in book["worksheets"] for cell in sheet["cells"]]
        book = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 0}
        written = in_raw(json.dumps(book, ensure_ascii=writes_ascii(page.text) is True))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenJson(str(error)) from error
    tail = page.text[len(page.text.rstrip()) :]
    return page.style.lay_out(written, 0) + tail


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = dict(cell.setdefault("metadata", {}))
    cell["metadata"] = metadata
    if cell["cell_type"] == "code":
        cell.pop("language", None)
        if "collapsed" in cell:
            metadata["collapsed"] = cell.pop("collapsed")
        cell["source"] = cell.pop("input", "")
        cell["execution_count"] = cell.pop("prompt_number", None)
        cell["outputs"] = [_output(dict(output)) for output in cell.get("outputs", [])]
    elif cell["cell_type"] == "heading":
        cell["cell_type"] = "markdown"
        source = cell.get("source", "")
        title = " ".join((source if isinstance(source, str) else "".join(source)).splitlines())
        title = "#" * cell.pop("level", 1) + " " + title
        cell["source"] = title if isinstance(source, str) else [title]
    elif cell["cell_type"] == "html":
        cell["cell_type"] = "markdown"
    return cell


def _output(output: dict[str, Any]) -> dict[str, Any]:
    kind = output.get("output_type")
    if kind in ("pyout", "display_data"):
        kept: dict[str, Any] = {"metadata": _mime(output.pop("metadata", {})), "output_type": kind}
        del output["output_type"]
        if kind == "pyout":
            kept["output_type"] = "execute_result"
            kept["execution_count"] = output.pop("prompt_number", None)
        kept["data"] = _mime(output)
        if isinstance(kept["data"].get("application/json"), str):
            kept["data"]["application/json"] = json.loads(kept["data"]["application/json"])
        return kept
    if kind == "pyerr":
        output["output_type"] = "error"
    elif kind == "stream":
        output["name"] = output.pop("stream", "stdout")
    return output


def _mime(data: dict[str, Any]) -> dict[str, Any]:
    return {_MIME.get(key, key): value for key, value in data.items()}
