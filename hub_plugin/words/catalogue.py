"""Finding the texts in another language, by gettext, as the environment asks for one (LANGUAGE, LC_ALL, LANG).

A translation is `hub_plugin/words/locale/LANGUAGE/LC_MESSAGES/synced_folders.mo`, or lies so below $TEXTDOMAINDIR.
"""

import gettext
import os
from pathlib import Path

_found = gettext.translation(
    "synced_folders", os.environ.get("TEXTDOMAINDIR") or Path(__file__).with_name("locale"), fallback=True
)


def _(text: str) -> str:
    """A text, in the language of this process; English if nobody has translated it."""
    return _found.gettext(text)


def plural(one: str, many: str, count: int) -> str:
    """The same for a text that depends on a number, which it may show as `{count}`."""
    return _found.ngettext(one, many, count).format(count=f"{count:,}")
