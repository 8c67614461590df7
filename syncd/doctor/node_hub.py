"""The link of a node to a hub on another machine."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from syncd.doctor.finding import Finding, good, note, warning
from syncd.doctor.node_place import NodeHere


def link(at: NodeHere) -> Iterator[Finding]:
    """Hints of pushes come in by it at once; without it courses are polled."""
    if at.config is None or at.config.hub is None:
        return
    where = urlsplit(at.config.hub)
    if where.scheme == "http" and not _is_here(where.hostname or ""):
        yield warning(f"The token goes to {at.config.hub} unencrypted: let the hub have https, and write that.")
    told = (at.status or {}).get("hub")
    if told is None:
        if at.runs:
            yield note(f"The running service knows nothing of {at.config.hub} yet: systemctl restart syncd-node")
    elif told["connected"]:
        yield good(f"Linked to {told['url']}: pushes are known here at once.")
    else:
        yield warning(f"No link to the hub, so courses are polled: {told['sentence']}")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
