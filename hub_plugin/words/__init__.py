"""Every English text of the pages, by page, ready for translation (docs/hub.md, "Other languages").

Texts that JavaScript needs stand in the page as data attributes; relative times are worded there by the browser's own
`Intl.RelativeTimeFormat`, whose English `ago` follows.
"""

from hub_plugin.words.admin import *  # noqa: F403
from hub_plugin.words.alone import *  # noqa: F403
from hub_plugin.words.changes import *  # noqa: F403
from hub_plugin.words.hub_pages import *  # noqa: F403
from hub_plugin.words.links import *  # noqa: F403
from hub_plugin.words.overview import *  # noqa: F403
from hub_plugin.words.releases import *  # noqa: F403
from hub_plugin.words.setup import *  # noqa: F403
from hub_plugin.words.sources import *  # noqa: F403
from hub_plugin.words.student import *  # noqa: F403
from hub_plugin.words.teaching import *  # noqa: F403
from hub_plugin.words.webhooks import *  # noqa: F403
