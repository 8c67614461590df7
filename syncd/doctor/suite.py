"""The checks of an instructor's side, in the order in which they are told.

A node's are a tuple of the same kind: `Check(name, look)`, where `look` takes that suite's own place.
"""

from syncd.doctor import contents, daemon, history, machine, remotes, state
from syncd.doctor.finding import Check
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
