"""What is said when publisher or node can't be asked."""

from hub_plugin.words.catalogue import _

PUBLISHER = _("the publisher")
NODE = _("the node's service")
HUB = _("the hub")
PUBLISHER_MISSING = _("No publisher is running on this computer; start it with “syncd run”.")
PUBLISHER_DOWN = _("The publisher is not running just now; start it with “syncd run”.")
PUBLISHER_SECRET = _(
    "This page may not read the publisher's control.json; start it as the person who runs the publisher."
)
PUBLISHER_STRANGE = _("The publisher's control.json does not name a server on this computer; restart the publisher.")
PUBLISHER_REFUSES = _("The publisher does not accept its own token; restart the publisher.")
NODE_MISSING = _("The node's service is not running on this computer; start it with “syncd node”.")
NODE_SECRET = _("This page may not open the node's socket; start it as a user who may.")


def slow(who: str) -> str:
    """A source takes too long."""
    return _("{who} does not answer; if this lasts, restart it.").format(who=who[:1].upper() + who[1:])


def strange(who: str) -> str:
    """A source says something else than agreed."""
    return _("{who} said something that this page can't read; are both of the same version?").format(
        who=who[:1].upper() + who[1:]
    )
