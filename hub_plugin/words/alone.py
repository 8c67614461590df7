"""The page without a hub: its command and what it refuses."""

from hub_plugin.words.catalogue import _

BAD_HOST = _("This page answers only under the name of this computer; open it as http://127.0.0.1 with its port.")
NOT_FOUND = _("There is nothing here; the page is one level up.")
ONLY_GET = _("This page can only be read.")
FULL = _("Too many pages are open already; close some and reload.")


def listening(url: str) -> str:
    """The one line that the command prints."""
    return _("The page is at {url}").format(url=url)


COMMAND = _("A page on this computer that shows folders, their versions and who has which, live.")
HELP_PUBLISHER = _("the publisher's state folder, which holds control.json")
HELP_NODE = _("the node's socket, node.sock in its store")
HELP_GIT_URL = _("shown on the page as text, so that people know where the course is")
HELP_LISTEN = _("where to listen; only on loopback, port 0 takes a free one (default: 127.0.0.1:0)")
HELP_READY_FILE = _('written when the page can be opened: {"url": ...}')
NO_SOURCE = _("There is nothing to show; give --publisher STATE_FOLDER, --node SOCKET, or both.")


def bad_listen(text: str) -> str:
    """`--listen` is not an address."""
    return _("{text} is no address to listen on; give one like 127.0.0.1:8080.").format(text=text)


def not_loopback(text: str) -> str:
    """`--listen` is open to others."""
    return _(
        "{text} can be reached by others, and this page has no login; give an address like 127.0.0.1:8080."
    ).format(text=text)


def cannot_listen(text: str, why: str) -> str:
    """The port is taken, or is not ours."""
    return _("The page can't listen on {text} ({why}); give another port, or 0 for any free one.").format(
        text=text, why=why
    )
