"""The checks of an instructor's side and of a node, in the order in which they are told."""

from syncd.doctor import (
    contents,
    daemon,
    history,
    machine,
    node_homes,
    node_hub,
    node_machine,
    node_settings,
    node_store,
    remotes,
    state,
)
from syncd.doctor.finding import Check
from syncd.doctor.node_place import NodeHere
from syncd.doctor.place import Here

PUBLISHER: tuple[Check[Here], ...] = (
    Check("state", state.rights),
    Check("settings", state.files),
    Check("publisher", daemon.running),
    Check("folders", machine.folders),
    Check("condition", daemon.reports),
    Check("disk", machine.disks),
    Check("watching", machine.watching),
    Check("remote", remotes.remotes),
    Check("clock", remotes.clocks),
    Check("history", history.histories),
    Check("cache", history.caches),
    Check("contents", contents.contents),
    Check("secrets", state.secrets),
)

NODE: tuple[Check[NodeHere], ...] = (
    Check("settings", node_settings.settings),
    Check("secrets", node_settings.secrets),
    Check("members", node_settings.members),
    Check("homes", node_homes.homes),
    Check("store", node_store.place),
    Check("service", node_store.service),
    Check("courses", node_store.courses),
    Check("hub", node_hub.link),
    Check("mirrors", node_store.mirrors),
    Check("versions", node_store.versions),
    Check("pins", node_store.pins),
    Check("remotes", node_settings.remotes),
    Check("clock", node_settings.clocks),
    Check("units", node_machine.units),
    Check("fuse", node_machine.fuse),
    Check("watching", node_machine.inotify),
)
