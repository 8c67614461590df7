"""A publisher that only watches keeps its memory small: what few folders need is loaded when one needs it."""

import subprocess
import sys

LATER = {
    "syncd.merge.resolve": "with the first change of somebody else",
    "syncd.guards.staff_cells": "with a notebook that may hold solutions",
    "pathspec": "with patterns",
    "detect_secrets": "with something that looks like a key",
    "prometheus_client": "with a question for metrics",
    "keyring": "with a remote that wants a token",
    "jinja2": "with the page",
    "dateparser": "with a time that somebody types",
    "rich": "never: it is the command line's",
}


def test_a_publisher_begins_without_what_few_folders_need() -> None:
    code = "import sys, syncd.publisher.service; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "syncd.publisher.folder_sync" in loaded
    assert not {name: when for name, when in LATER.items() if name in loaded}
