"""Plugin hooks of The Littlest JupyterHub (entry point group `tljh`), with a file of settings.

The file has what `c.SyncedFolders` has, in TOML; TLJH's own jupyterhub_config.d comes after the hooks, too late for it.
"""

import tomllib
from pathlib import Path
from typing import Any

import pluggy

from hub_plugin import install, words
from syncd.core.errors import NeedsUser

SETTINGS = Path("/etc/synced-folders/hub.toml")

# The marker of TLJH's own `tljh.hooks.hookimpl`: made by name, so that nothing of TLJH is needed to load this.
hookimpl = pluggy.HookimplMarker("tljh")


@hookimpl  # type: ignore[untyped-decorator, unused-ignore]
def tljh_custom_jupyterhub_config(c: Any) -> None:
    """Install the plugin with the file's settings; without the file nothing changes."""
    configure(c, SETTINGS)


def configure(c: Any, settings: Path) -> None:
    """See above.  NeedsUser, with one sentence, if the file can't be read or a setting in it is wrong."""
    try:
        said = tomllib.loads(settings.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise NeedsUser(words.bad_setting(f"{settings}: {error}")) from error
    # TLJH gives everybody an account of this name.
    install(c, **{"system_user": "jupyter-{username}", **said})
