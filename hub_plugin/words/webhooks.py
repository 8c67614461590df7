"""Webhooks: how to set one up, and what came of each delivery."""

from hub_plugin.words.catalogue import _

WEBHOOK = _("Webhook")
WEBHOOK_HOW = _(
    "With a webhook, what you publish reaches everybody at once; without one, a little later. On GitHub: Settings, "
    "Webhooks, Add webhook; GitLab, Gitea and Forgejo have the same under Settings, Webhooks. Choose push events only."
)
WEBHOOK_URL = _("URL")
WEBHOOK_TYPE = _("Type")
WEBHOOK_SECRET = _("Secret")
WEBHOOK_SHOW = _("Show the secret")
WEBHOOK_LAST = _("Last delivery seen")
WEBHOOK_NONE = _("No delivery has been seen yet; until one is, the node asks the remote now and then.")
WEBHOOK_TAKEN = _("Taken; the node looks now.")
WEBHOOK_AGAIN = _("Seen before; nothing to do.")
WEBHOOK_OTHER = _("Not a push to a branch; nothing to do.")
WEBHOOK_REFUSED = _("The signature does not fit: check URL and secret of the webhook.")
WEBHOOK_TOO_LARGE = _("A webhook of more than 1 MB is not taken.")
WEBHOOK_REPLAYED = _("Delivered once more; the node looks now.")
