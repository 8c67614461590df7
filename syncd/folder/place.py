"""Put content into a folder so that no crash and no save that comes in between loses anything.

A new content is written aside (`.~syncd-new-*`), made durable, and then changes places with what
is there, in one step where the system can; what was displaced is checked against what was
expected, and put back if it is another: then nothing has happened (`Meanwhile`).  A displaced
file has a name `.~syncd-old-*` while that is decided; `leftovers` finds it after a crash.
"""

import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO

from syncd.core.entry import Mode, RelPath
from syncd.core.errors import TryAgain
from syncd.core.ignore import ASIDE, Ignored
from syncd.folder.root import Dir, InTheWay, Root
from syncd.folder.scan import Seen, StatId, mode_of, stat_id
from syncd.folder.sync import flush_call
from syncd.folder.writers import open_for_writing

_NEW = ASIDE + "new-"
_OLD = ASIDE + "old-"
_PIECE = 1 << 20
NOTHING_KNOWN: Mapping[str, Sequence[str]] = MappingProxyType({})
Content = bytes | Callable[[BinaryIO], None]
"""The bytes, or something that writes them into a file."""


class Meanwhile(TryAgain):
    """What is at a path is not what the plan was made for; look again and plan again."""

    def __init__(self, path: str) -> None:
        super().__init__(f"“{path}” was changed meanwhile; it is looked at again.")
        self.path = RelPath(path)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A content that lies aside, ready to take its place.  `finish` or `abandon` it."""

    path: RelPath
    aside: str
    mode: Mode
    expect: StatId | None


def write(root: Root, path: RelPath, content: Content, mode: Mode, expect: StatId | None) -> Seen:
    """Place a file or link (its target is the content), with the folders above it.

    `expect` is what must be there now (None: nothing).  Meanwhile if it is not, and nothing has
    changed then; InTheWay if a folder is there or a file stands where a folder is needed.
    """
    return finish(root, prepare(root, path, content, mode, expect))


def prepare(
    root: Root, path: RelPath, content: Content, mode: Mode, expect: StatId | None, *, durable: bool = True
) -> Prepared:
    """The first half of `write`.  Not `durable`: `flush` must be called before `finish`, once for many."""
    with root.above(path, create=True) as (folder, name):
        permissions = check(folder, name, path, expect)
        prepared = Prepared(path, _NEW + secrets.token_hex(8), mode, expect)
        try:
            _fill(folder, prepared.aside, content, mode, permissions, durable)
        except BaseException:
            _drop(folder, prepared.aside)
            raise
        return prepared


def finish(root: Root, prepared: Prepared, *, durable: bool = True) -> Seen:
    """The second half of `write`.  Not `durable`: `flush` must be called afterwards, once for many."""
    path = prepared.path
    with root.above(path) as (folder, name):
        try:
            if prepared.expect is None:
                try:
                    folder.move(prepared.aside, folder, name)
                except FileExistsError as problem:
                    raise Meanwhile(path) from problem
            else:
                _swap(folder, prepared.aside, name, path, prepared.expect)
        finally:
            _drop(folder, prepared.aside)
        if durable:
            folder.sync()
        found = folder.lstat(name)
        return Seen(path, mode_of(found) or prepared.mode, stat_id(found))


def abandon(root: Root, prepared: Prepared) -> None:
    """Remove a content that will not take its place."""
    with suppress(FileNotFoundError, InTheWay), root.above(prepared.path) as (folder, _):
        folder.unlink(prepared.aside)


def can_flush() -> bool:
    """Whether `flush` works here; else each file must be made durable by itself."""
    return flush_call() is not None


def flush(root: Root) -> None:
    """Make all that was placed durable at once."""
    with root.folder("") as top:
        top.sync_all()


def install(root: Root, path: RelPath, staging: Dir, staged: str, expect: StatId | None) -> None:
    """As `write`, with a durable file that lies ready in another folder; the caller syncs the folder it comes to."""
    with root.above(path, create=True) as (folder, name):
        check(folder, name, path, expect)
        if expect is None:
            try:
                staging.move(staged, folder, name)
            except FileExistsError as problem:
                raise Meanwhile(path) from problem
            return
        if open_for_writing(folder, name):
            raise Meanwhile(path)
        aside = _NEW + secrets.token_hex(8)
        staging.move(staged, folder, aside)
        try:
            _swap(folder, aside, name, path, expect)
        finally:
            _drop(folder, aside)


def remove(root: Root, path: RelPath, expect: StatId, *, durable: bool = True) -> None:
    """Remove a file or link, and the folders above it that are empty then.  `durable` as in `finish`."""
    with root.above(path) as (folder, name):
        check(folder, name, path, expect)
        old = _old_name(name)
        try:
            folder.move(name, folder, old)
        except FileNotFoundError as problem:
            raise Meanwhile(path) from problem
        if not _is_same(folder, old, expect):
            _put_back(folder, old, name)
            raise Meanwhile(path)
        folder.unlink(old)
        if durable:
            folder.sync()
    prune(root, path.rpartition("/")[0])


def move(root: Root, path: RelPath, to: RelPath, expect: StatId | None = None) -> None:
    """Rename a file, link or folder; what is at the new name is never replaced (Meanwhile).

    `expect`, if given, is what must be at the old one.
    """
    with root.above(path) as (folder, name), root.above(to, create=True) as (end, new):
        if expect is not None:
            check(folder, name, path, expect)
        try:
            folder.move(name, end, new)
        except FileExistsError as problem:
            raise Meanwhile(to) from problem
        end.sync()
        folder.sync()
    prune(root, path.rpartition("/")[0])


def chmod(root: Root, path: RelPath, mode: Mode, expect: StatId) -> Seen:
    """Set or clear the executable bits of a file; its content is not touched."""
    with root.above(path) as (folder, name):
        check(folder, name, path, expect)
        with _opened(folder, name) as number:
            now = os.fstat(number)
            if hasattr(os, "fchmod"):
                os.fchmod(number, _with_bits(now.st_mode & 0o7777, mode))
        found = folder.lstat(name)
        return Seen(path, mode_of(found) or mode, stat_id(found))


def prune(root: Root, folder: str) -> None:
    """Remove a folder and those above it, as far as they are empty; the root stays."""
    while folder:
        above, _, name = folder.rpartition("/")
        try:
            with root.folder(above) as at:
                at.rmdir(name)
                at.sync()
        except OSError:  # not empty, or gone, or not ours to remove: all fine
            return
        except InTheWay:
            return
        folder = above


def check(folder: Dir, name: str, path: RelPath, expect: StatId | None) -> int | None:
    """Meanwhile unless the name holds what is expected; InTheWay if it holds a folder or device.

    Gives the rights of a file that is there: they are the person's choice, and a new content keeps them.
    """
    try:
        found = folder.lstat(name)
    except FileNotFoundError as problem:
        if expect is None:
            return None
        raise Meanwhile(path) from problem
    if mode_of(found) is None:
        raise InTheWay(path)
    if expect is None or stat_id(found) != expect:
        raise Meanwhile(path)
    return None if mode_of(found) is Mode.SYMLINK else found.st_mode & 0o777


def leftovers(
    root: Root, ignored: Ignored, known: Mapping[str, Sequence[str]] = NOTHING_KNOWN
) -> Iterator[tuple[RelPath, str, StatId]]:
    """Asides that a crash left: unfinished ones are removed; displaced ones are handed out.

    Each of the latter with the name it had (cut if that was long) and its stat data.  It may be the
    only copy of a save: give it a name with `move`, or, if its content is known elsewhere, `discard` it.
    `known` are folders that have none, with the names of their folders.
    """
    stack = [""]
    while stack:
        here = stack.pop()
        prefix = here + "/" if here else ""
        if here in known:
            stack.extend(prefix + name for name in known[here])
            continue
        try:
            with root.folder(here) as folder:
                with folder.entries() as entries:
                    found = [(e.name, e.is_dir(follow_symlinks=False)) for e in entries]
                for name, is_folder in found:
                    if is_folder:
                        if not ignored(RelPath(prefix + name), True):
                            stack.append(prefix + name)
                    elif name.startswith(_NEW):
                        folder.unlink(name)
                    elif match := re.match(re.escape(_OLD) + r"[0-9a-f]{16}-(.*)", name, re.DOTALL):
                        yield RelPath(prefix + name), match[1], stat_id(folder.lstat(name))
        except (OSError, InTheWay):
            if not here:
                raise


def discard(root: Root, leftover: RelPath, expect: StatId) -> None:
    """Remove a displaced file whose content is known to be kept elsewhere."""
    with root.above(leftover) as (folder, name):
        check(folder, name, leftover, expect)
        folder.unlink(name)


def _old_name(name: str) -> str:
    cut = os.fsencode(name)[: 255 - len(_OLD) - 17]
    return f"{_OLD}{secrets.token_hex(8)}-{cut.decode(errors='ignore')}"


def _fill(folder: Dir, aside: str, content: Content, mode: Mode, permissions: int | None, durable: bool) -> None:
    if mode is Mode.SYMLINK:
        if not isinstance(content, bytes):
            raise TypeError("a link's target is given as bytes")
        folder.symlink(content, aside)
        return
    # 0o666 leaves the rest to the person's umask, as any program's new file would.
    number = folder.create(aside, 0o777 if mode is Mode.EXECUTABLE else 0o666)
    with os.fdopen(number, "wb", buffering=_PIECE) as out:
        if isinstance(content, bytes):
            out.write(content)
        else:
            content(out)
        out.flush()
        if permissions is not None and hasattr(os, "fchmod"):
            os.fchmod(number, _with_bits(permissions, mode))
        if durable:
            os.fsync(number)


def _with_bits(permissions: int, mode: Mode) -> int:
    if mode is Mode.EXECUTABLE:
        return permissions | (permissions & 0o444) >> 2
    return permissions & ~0o111


def _swap(folder: Dir, aside: str, name: str, path: RelPath, expect: StatId) -> None:
    old = _old_name(name)
    folder.move(aside, folder, old)  # from here on a crash leaves a complete file under this name
    ours = stat_id(folder.lstat(old))
    try:
        swapped = folder.exchange(old, name)
        if not swapped:
            # RACE: without a swap, a save between this check and the rename is lost; Windows and
            # old file systems only, and a matter of microseconds.
            check(folder, name, path, expect)
            folder.replace(old, folder, name)
            return
    except (FileNotFoundError, Meanwhile, InTheWay) as problem:
        folder.unlink(old)
        raise Meanwhile(path) from problem
    if _is_same(folder, old, expect):
        folder.unlink(old)
        return
    # Somebody saved between our check and the swap: swap back, so that the save has its name again.
    try:
        folder.exchange(old, name)
        if stat_id(folder.lstat(old)).same_file(ours):
            folder.unlink(old)
        else:
            # A third save came in between: it gets the name, the second stays aside for `leftovers`.
            folder.exchange(old, name)
    except FileNotFoundError:
        _put_back(folder, old, name)
    raise Meanwhile(path)


def _is_same(folder: Dir, name: str, expect: StatId) -> bool:
    """What a name holds is what was expected, and nobody is about to write into it through an open handle."""
    found = folder.lstat(name)
    return mode_of(found) is not None and stat_id(found).same_file(expect) and not open_for_writing(folder, name)


def _put_back(folder: Dir, old: str, name: str) -> None:
    try:
        folder.move(old, folder, name)
    except FileExistsError:
        # A newer save has the name; the older one stays aside, and `leftovers` puts it beside.
        return


def _drop(folder: Dir, aside: str) -> None:
    try:
        folder.unlink(aside)
    except FileNotFoundError:
        return


@contextmanager
def _opened(folder: Dir, name: str) -> Iterator[int]:
    number = folder.open(name)
    try:
        yield number
    finally:
        os.close(number)
