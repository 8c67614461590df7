"""Logging in, and what all pages of the hub say."""

from hub_plugin.words.catalogue import _

BACK = _("Back")
NO_ACCESS = _("You are in no course of this hub that has synced folders; ask your instructor to add you.")
NOT_IN_COURSE = _("You are not in this course, or this hub has no such course; ask your instructor to add you.")
HUB_AWAY = _("The hub does not answer just now; try again in a moment.")
LOGIN_AGAIN = _("Logging in did not work, perhaps because it took too long; open the page again.")
FORM_AGAIN = _("This page was open for too long, or the request did not come from it; reload it and try again.")
NOT_A_SERVICE = _(
    "This must be started by JupyterHub, as one of its services; for a page alone use “python -m hub_plugin”."
)
BAD_SETTINGS = _("The hub did not say which courses there are; add “install(c)” of hub_plugin to jupyterhub_config.py.")
BROKEN = _("Something went wrong here; it has been noted for whoever runs the hub. Try again in a moment.")
TOO_MANY = _("That was too often; wait a minute and try again.")
