"""Small notebooks for staff, written as Jupyter writes them."""

import json
from typing import Any


def code(source: str, metadata: dict[str, Any] | None = None, output: str = "") -> dict[str, Any]:
    outputs = [{"name": "stdout", "output_type": "stream", "text": [output]}] if output else []
    return {
        "cell_type": "code",
        "execution_count": 3 if output else None,
        "metadata": metadata or {},
        "outputs": outputs,
        "source": source.splitlines(keepends=True),
    }


def prose(source: str, kind: str = "markdown", metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"cell_type": kind, "metadata": metadata or {}, "source": source.splitlines(keepends=True)}


def raw(source: str) -> dict[str, Any]:
    return prose(source, "raw")


def notebook(*cells: dict[str, Any], language: str = "python", indent: int = 1) -> bytes:
    book = {
        "cells": list(cells),
        "metadata": {"kernelspec": {"display_name": language, "language": language, "name": language}},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    return (json.dumps(book, indent=indent, ensure_ascii=False) + "\n").encode()


def sources(content: bytes) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(content)["cells"]]
