"""A node's settings: that they can be read, who may read its tokens, and what the remotes say to them."""

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from syncd.core.errors import NeedsUser, SyncError, TryAgain
from syncd.doctor.finding import Finding, good, note, problem, warning
from syncd.doctor.node_place import NodeHere
from syncd.doctor.remotes import clocks_of
from syncd.git.remote import Remote
from syncd.node.config import Course, read_secret
from syncd.node.members import parse_members


def settings(at: NodeHere) -> Iterator[Finding]:
    """node.toml."""
    if at.unread:
        yield problem(at.unread)
    elif at.settings is None:
        yield note("There are no settings of a node here: begin with `syncd node install`, or name them by --config.")
    elif not at.courses:
        yield note(f"{at.settings} names no course yet.")
    else:
        yield good(f"{at.settings} can be read ({len(at.courses)} courses).")


def secrets(at: NodeHere) -> Iterator[Finding]:
    """Tokens and secrets: for the service, and for nobody else."""
    files = {path: f"the token of {each.name}" for each in at.courses if (path := each.token_file)}
    files |= {path: f"the webhook's secret of {each.name}" for each in at.courses if (path := each.webhook_secret_file)}
    if at.config is not None and at.config.metrics_token_file is not None:
        files[at.config.metrics_token_file] = "the token of the metrics"
    if at.config is not None and at.config.hub_token_file is not None:
        files[at.config.hub_token_file] = "this node's token for the hub"
    for path, what in files.items():
        yield from _secret(at, path, what)


def _secret(at: NodeHere, path: Path, what: str) -> Iterator[Finding]:
    try:
        facts = path.stat()
        content = path.read_bytes()
    except OSError as error:
        yield problem(f"{path} ({what}) can't be read ({error.strerror}): put it there, or change the settings.")
        return
    if facts.st_mode & 0o007:
        yield problem(
            f"Everybody on this machine can read {path} ({what}): chmod o-rwx {path}",
            partial(_shut, path, stat.S_IMODE(facts.st_mode) & ~0o007),
        )
    elif not content.strip():
        yield problem(f"{path} ({what}) is empty: write it there.")
    elif not _service_may_read(at, facts):
        yield problem(f"The service can't read {path} ({what}): chgrp synced-folders {path}; chmod 640 {path}")
    else:
        yield good(f"Only the service can read {path} ({what}).")


def _service_may_read(at: NodeHere, facts: os.stat_result) -> bool:
    try:
        service = at.store.stat()
    except OSError:
        return True  # told elsewhere
    if service.st_uid == 0:
        return True
    as_owner = facts.st_uid == service.st_uid and facts.st_mode & 0o400
    as_group = facts.st_gid == service.st_gid and facts.st_mode & 0o040
    return bool(as_owner or as_group)


def members(at: NodeHere) -> Iterator[Finding]:
    """Lists of members that others keep."""
    for course in at.courses:
        path = course.members_file
        if path is None:
            continue
        try:
            if path.stat().st_mode & 0o002:
                yield problem(
                    f"Everybody can write {path}, so {course.name} has no members: chmod o-w {path}",
                    partial(_shut, path, stat.S_IMODE(path.stat().st_mode) & ~0o002),
                )
                continue
            yield good(f"{course.name} has a list of {len(parse_members(path.read_text()))} members.")
        except (OSError, UnicodeDecodeError) as error:
            yield problem(f"{path} can't be read ({error}), so {course.name} has no members: write it anew.")


def remotes(at: NodeHere) -> Iterator[Finding]:
    """Each course's remote, with its token."""
    for course in at.courses:
        try:
            yield _reached(course)
        except TryAgain as error:
            yield warning(f"{course.name}: {error}")
        except SyncError as error:
            yield problem(f"{course.name}: {error}")


def _reached(course: Course) -> Finding:
    token = course.token_file
    remote = Remote(course.remote, lambda: read_secret(token) if token else None)
    branch = course.branch or remote.default_branch()
    if branch is None or remote.head(branch) is None:
        raise NeedsUser(f"{course.remote} has no branch {branch or 'yet'}: publish to it, or name another.")
    return good(f"{course.name}: {course.remote} shows its branch {branch}.")


def clocks(at: NodeHere) -> Iterator[Finding]:
    """A clock that is wrong spoils certificates and the times of files."""
    yield from clocks_of(course.remote for course in at.courses)


def _shut(path: Path, mode: int) -> str:
    path.chmod(mode)
    return f"{path} has mode {mode:o} now."
