"""The page of whoever runs the hub, and the API."""

from hub_plugin.words.catalogue import _

ADMIN = _("Whole hub")
COURSES = _("Courses")
NO_COURSES_HERE = _("No node follows a course yet.")
NODES = _("Nodes")
NODE_NAME = _("Node")
THIS_MACHINE = _("this machine")
REPORTED = _("Reported")
NO_NODES = _("No node is known here yet.")
COURSE = _("Course")
STUDENTS_COUNT = _("Folders")
DELIVERIES = _("Last webhook deliveries")
NO_DELIVERIES = _("No webhook has come yet; each course's page says how to set one up.")
WHAT_CAME = _("What came of it")
WHEN = _("When")
REPLAY = _("Deliver again")
NO_SUCH_DELIVERY = _("This delivery is no longer known; reload the page.")
API_JSON = _("The request must be a JSON object.")
NO_NODE_SERVICE = _("Only services in c.SyncedFolders.node_services may report as nodes.")
ONLY_ADMINS = _("This page is for those who run the hub.")
STORE = _("The store of this machine's node")
STORE_SIZE = _("Size")
STORE_FREE = _("Free on its disk")
STUDENTS_LAYERS = _("What students keep of their own")
QUEUE = _("Files whose update waits")
VERSIONS = _("Versions")
NOT_MEASURED = _("not measured yet")
ERRORS = _("Errors since the node's start")
NO_ERRORS = _("None.")
KIND = _("Kind")
HOW_OFTEN = _("How often")


def size(count: int) -> str:
    """Bytes for people: `1.2 GB`."""
    amount = float(count)
    for form in (_("{} bytes"), _("{} KB"), _("{} MB"), _("{} GB")):
        if amount < 1000:
            return form.format(f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.1f}")
        amount /= 1000
    return _("{} TB").format(f"{amount:,.1f}")


def versions(hub: str, node: str) -> str:
    """What runs: here, and on the node."""
    if not node or hub == node:
        return hub
    return _("{hub} here, {node} on the node: bring both to the same").format(hub=hub, node=node)
