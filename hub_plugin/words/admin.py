"""The page of whoever runs the hub, and the API."""

from hub_plugin.words.catalogue import _

ADMIN = _("Whole hub")
ADMIN_NODE = _("Courses on the node")
COURSE = _("Course")
STUDENTS_COUNT = _("Folders")
DELIVERIES = _("Last webhook deliveries")
NO_DELIVERIES = _("No webhook has come yet; each course's page says how to set one up.")
WHAT_CAME = _("What came of it")
WHEN = _("When")
REPLAY = _("Deliver again")
API_TOKEN = _("What changes something needs a token of the hub: send it as “Authorization: token ...”.")
API_JSON = _("The request must be a JSON object.")
ONLY_ADMINS = _("This page is for those who run the hub.")
