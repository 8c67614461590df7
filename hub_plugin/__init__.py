"""Synced Folders in a JupyterHub: `from hub_plugin import install; install(c)` in jupyterhub_config.py."""

from typing import Any


def install(c: Any, **settings: Any) -> None:
    """Wire service, roles, hooks and links into a hub's configuration `c`; doing it again changes nothing.

    `settings` are those of `c.SyncedFolders`, which may also be set before the call.  NeedsUser, with one sentence, if
    a setting is wrong.
    """
    from hub_plugin.configure import install as wire

    wire(c, **settings)


__all__ = ["install"]
