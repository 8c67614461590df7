"""The one request that a process may have carried out before it died without answering it.

Requests are carried out one after another, so it is at most one; the kernel hands it to the successor
again.  What can't be done twice is answered as it was the first time.
"""

import errno
import os
from collections.abc import Iterable

from fuse_mount.kernel import protocol as p
from fuse_mount.kernel.protocol import Op
from fuse_mount.kernel.session import Handler, Reply, Request

_ONCE = {Op.UNLINK, Op.RMDIR, Op.RENAME, Op.RENAME2, Op.SETXATTR, Op.REMOVEXATTR, Op.FALLOCATE, Op.RELEASE}
"""Answered by nothing but success."""
_GONE = {Op.UNLINK: errno.ENOENT, Op.RMDIR: errno.ENOENT, Op.RENAME: errno.ENOENT, Op.RENAME2: errno.ENOENT}
_GONE |= {Op.REMOVEXATTR: errno.ENODATA}
"""What is answered if it was done, but not yet noted as done."""
_OPENING = {Op.OPEN, Op.CREATE, Op.TMPFILE}
"""What opens a file; the flags come first in all of them."""
_MADE = {Op.MKDIR, Op.MKNOD, Op.SYMLINK, Op.LINK}


def carry_out_again(
    request: Request, done: bool, opened: Iterable[int], handler: Handler, look_up: Handler, close: Handler
) -> Reply:
    """Answer a request that was begun before (`done`: and ended).

    `opened`: what it opened then; `look_up` and `close` are the ordinary handlers.
    """
    op = Op(request.op)
    if done and op in _ONCE:
        return b""
    if op in _OPENING:
        for ino in opened:
            _close_first(request, ino, p.OPEN_IN.unpack_from(request.body)[0], close)
    try:
        return handler(request)
    except OSError as error:
        if error.errno == _GONE.get(op):
            return b""
        if error.errno == errno.EEXIST and op in _MADE:
            return look_up(_named(request, _name_at(op)))
        if error.errno == errno.EEXIST and op is Op.CREATE:
            return _open_made(request, handler)
        raise


def _open_made(request: Request, handler: Handler) -> Reply:
    flags, *rest = p.CREATE_IN.unpack_from(request.body)
    body = p.CREATE_IN.pack(flags & ~os.O_EXCL, *rest) + bytes(request.body[p.CREATE_IN.size :])
    return handler(_with(request, memoryview(body)))


def _close_first(request: Request, ino: int, flags: int, close: Handler) -> None:
    """The handle of the first time is nobody's: its number never reached the kernel."""
    again = _with(request, memoryview(p.RELEASE_IN.pack(ino, flags, 0, 0)))
    again.node = ino
    close(again)


def _name_at(op: Op) -> int:
    sizes = {Op.MKDIR: p.MKDIR_IN.size, Op.MKNOD: p.MKNOD_IN.size, Op.LINK: p.LINK_IN.size}
    return sizes.get(op, 0)


def _named(request: Request, at: int) -> Request:
    return _with(request, request.body[at:])


def _with(request: Request, body: memoryview) -> Request:
    return Request(request.op, request.node, request.uid, request.gid, request.pid, body)
