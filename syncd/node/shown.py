"""What of a commit's tree is shown: the tree as nodes of a manifest, hostile parts left out and listed.

Folders whose tree id is as in the previous manifest are taken from there unread, so that the work
follows the change and not the course.  Nothing in a repository can make this run out of stack,
memory or time: depth, path length and number of files have limits.
"""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from syncd.core.entry import Mode
from syncd.core.errors import NeedsUser
from syncd.core.names import DEEPEST, LONGEST_LINK, LONGEST_PATH, is_target, problem
from syncd.git.mirror import RawEntry
from syncd.manifest import FOLDER, Manifest, Node

RULES = 1
"""Counted up when what is shown of the same tree changes; a manifest made by other rules is not reused."""

MOST_NODES = 1_000_000
_GITLINK = 0o160000


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A path that is not shown, and why in a few words."""

    path: str
    why: str


@dataclass(slots=True)
class Shown:
    """A tree on its way into a manifest."""

    top: Node
    left_out: list[LeftOut] = field(default_factory=list)
    unsized: list[Node] = field(default_factory=list)
    """Files whose size is not known yet: those that the previous manifest does not have."""
    files: int = 0


@dataclass(frozen=True, slots=True)
class Previous:
    """What was shown before."""

    manifest: Manifest
    left_out: tuple[LeftOut, ...]


def shown(
    tree: bytes, read: Callable[[bytes], list[RawEntry]], time_ns: int, previous: Previous | None = None
) -> Shown:
    """The tree's nodes; what is new or changed gets `time_ns`, everything else keeps its time."""
    walk = _Walk(read, time_ns, previous)
    top = Node(b"", FOLDER, tree, mtime_ns=time_ns)
    result = Shown(top)
    walk.fill(result, top, b"", 0, 0 if previous else None)
    return result


def drop_bad_links(found: Shown, target: Callable[[Node], bytes]) -> None:
    """Leave out new symbolic links whose target no file system can hold."""
    bad = {
        id(node)
        for node in found.unsized
        if node.mode == Mode.SYMLINK and (node.size > LONGEST_LINK or not is_target(target(node)))
    }
    if bad:
        _drop(found, found.top, b"", bad)


def _drop(found: Shown, folder: Node, prefix: bytes, bad: set[int]) -> None:
    for child in folder.children:
        if id(child) in bad:
            found.left_out.append(LeftOut(os.fsdecode(prefix + child.name), "is a link that leads nowhere"))
            found.files -= 1
        elif child.children:
            _drop(found, child, prefix + child.name + b"/", bad)
    folder.children = [child for child in folder.children if id(child) not in bad]


@dataclass(slots=True)
class _Walk:
    read: Callable[[bytes], list[RawEntry]]
    time_ns: int
    previous: Previous | None
    nodes: int = 0

    def fill(self, out: Shown, folder: Node, prefix: bytes, depth: int, before: int | None) -> None:
        """Read one folder; `before` is its index in the previous manifest."""
        was = self._children(before)
        seen: set[bytes] = set()
        for entry in self.read(folder.id):
            path = prefix + entry.name
            why = problem(entry.name) or _problem_of_kind(entry, path, depth)
            if why is None and entry.name in seen:
                why = "is there twice"
            if why is not None:
                out.left_out.append(LeftOut(os.fsdecode(path), why))
                continue
            seen.add(entry.name)
            self._count(1)
            folder.children.append(self._node(out, entry, path, depth, was.get(entry.name)))

    def _node(self, out: Shown, entry: RawEntry, path: bytes, depth: int, before: int | None) -> Node:
        record = self.previous.manifest.record(before) if self.previous and before is not None else None
        kind = stat.S_IFMT(entry.mode)
        if kind in (stat.S_IFDIR, _GITLINK):
            if record and record.is_folder and record.id == entry.id:
                return self._kept(out, record.index, path)
            node = Node(entry.name, FOLDER, entry.id, mtime_ns=self.time_ns)
            if kind == stat.S_IFDIR:
                self.fill(out, node, path + b"/", depth + 1, before if record and record.is_folder else None)
            return node
        out.files += 1
        mode = Mode.SYMLINK if kind == stat.S_IFLNK else Mode.EXECUTABLE if entry.mode & 0o100 else Mode.FILE
        if record and record.id == entry.id and (record.mode == Mode.SYMLINK) == (mode == Mode.SYMLINK):
            return Node(entry.name, mode, entry.id, record.size, record.mtime_ns)
        node = Node(entry.name, mode, entry.id, mtime_ns=self.time_ns)
        out.unsized.append(node)
        return node

    def _kept(self, out: Shown, index: int, path: bytes) -> Node:
        """A folder as the previous manifest has it, whole."""
        assert self.previous is not None
        inside = os.fsdecode(path) + "/"
        out.left_out += (one for one in self.previous.left_out if one.path.startswith(inside))
        return self._copy(out, index)

    def _copy(self, out: Shown, index: int) -> Node:
        assert self.previous is not None
        manifest = self.previous.manifest
        record = manifest.record(index)
        node = Node(record.name, record.mode, record.id, record.size, record.mtime_ns)
        if record.is_folder:
            self._count(record.count)
            node.children = [self._copy(out, child) for child in manifest.children(index)]
        else:
            out.files += 1
        return node

    def _children(self, before: int | None) -> Mapping[bytes, int]:
        if self.previous is None or before is None:
            return {}
        manifest = self.previous.manifest
        return {manifest.record(index).name: index for index in manifest.children(before)}

    def _count(self, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MOST_NODES:
            raise NeedsUser(
                f"The course has more than {MOST_NODES:,} files and folders, which no node can show: split it up."
            )


def _problem_of_kind(entry: RawEntry, path: bytes, depth: int) -> str | None:
    kind = stat.S_IFMT(entry.mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, _GITLINK):
        return "is neither file, folder nor link"
    if len(path) > LONGEST_PATH:
        return "has too long a path"
    if kind == stat.S_IFDIR and depth >= DEEPEST:
        return "lies too deep"
    return None


def next_time(commit_s: int, now_ns: int, previous: Manifest | None) -> int:
    """The time of what a commit brings: its own, but never in the future and always later than all before.

    Where the commit's time is no later (two saves in one second, a rewritten history) it is now: programs
    that compare times in microseconds or coarser must see that a file changed.
    """
    wanted = min(commit_s * 1_000_000_000, now_ns)
    last = None if previous is None else int(previous.time_ns)
    if last is None or wanted > last:
        return wanted
    return max(now_ns, last + 1_000_000)


def sizes(nodes: Iterable[Node], known: Mapping[bytes, int]) -> None:
    """Fill in sizes, by blob."""
    for node in nodes:
        node.size = known[node.id]
