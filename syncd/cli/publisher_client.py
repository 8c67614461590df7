"""Asking the running publisher, by the address and token in its state folder."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from syncd.core.errors import NeedsUser


class NotRunning(NeedsUser):
    """No publisher serves this state folder."""


def ask_publisher(
    state: Path, method: str, path: str, body: dict[str, Any] | None = None, *, within_s: float = 10.0
) -> dict[str, Any]:
    """One request to the publisher's control.  NotRunning, or NeedsUser with its own sentence."""
    try:
        control = json.loads((state / "control.json").read_text())
        request = urllib.request.Request(
            control["url"] + path,
            json.dumps(body).encode() if body is not None else None,
            {"Authorization": f"Bearer {control['token']}", "Content-Type": "application/json"},
            method=method,
        )
        # Loopback only: a proxy of the environment must not see the token.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=within_s) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as problem:
        try:
            sentence = json.load(problem)["error"]
        except (ValueError, KeyError, TypeError):
            sentence = f"The publisher answered {problem.code}."
        raise NeedsUser(sentence) from problem
    except TimeoutError as problem:
        raise NeedsUser("The publisher is busy and did not answer in time; try again in a moment.") from problem
    except (OSError, ValueError, KeyError) as problem:
        raise NotRunning("The publisher is not running; start it with: syncd run") from problem
