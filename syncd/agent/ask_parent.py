"""Asking the parent of a node's agents: for the hub's hooks, PAM and people."""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from syncd.core.errors import NeedsUser


def ask_parent(path: Path, question: Mapping[str, Any], patience_s: float = 40.0) -> dict[str, Any]:
    """Ask the parent that listens there.  NeedsUser, with its sentence, if it says no or there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.settimeout(patience_s)
        try:
            asking.connect(str(path))
            asking.send(json.dumps(dict(question)).encode())
            found: dict[str, Any] = json.loads(asking.recv(1 << 20) or b"{}")
        except (FileNotFoundError, ConnectionError) as error:
            raise NeedsUser("Nobody starts agents here; start that with: systemctl start syncd-agents") from error
        except PermissionError as error:
            raise NeedsUser("Only root and the hub may ask for another person's folders.") from error
        except (OSError, ValueError) as error:
            raise NeedsUser("Whoever starts agents here does not answer; see its log.") from error
    if "error" in found:
        raise NeedsUser(str(found["error"]))
    return found
