"""One mount's conversation with the kernel: a thread that reads requests and writes answers."""

import contextlib
import errno
import logging
import mmap
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from fuse_mount.held import Held
from fuse_mount.kernel.protocol import (
    IN_HEADER,
    INIT_IN,
    INIT_OUT,
    INVAL_ENTRY_OUT,
    INVAL_INODE_OUT,
    OUT_HEADER,
    Init,
    Notify,
    Op,
)

_log = logging.getLogger(__name__)

MAX_WRITE = 1 << 20
_MAJOR, _OLDEST_MINOR, _NEWEST_MINOR = 7, 31, 45
_EPOCH_MINOR = 44
_SMALL = 4096
_HEADER, _OUT = IN_HEADER.size, OUT_HEADER.size
_unpack_header, _pack_header = IN_HEADER.unpack_from, OUT_HEADER.pack
_INIT = int(Op.INIT)
_UNANSWERED = frozenset((int(Op.FORGET), int(Op.BATCH_FORGET), int(Op.INTERRUPT)))
_WANTED = (
    Init.ASYNC_READ
    | Init.ATOMIC_O_TRUNC
    | Init.BIG_WRITES
    | Init.DO_READDIRPLUS
    | Init.ASYNC_DIO
    | Init.PARALLEL_DIROPS
    | Init.MAX_PAGES
    | Init.CACHE_SYMLINKS
    | Init.NO_OPENDIR_SUPPORT
    | Init.EXPLICIT_INVAL_DATA
    | Init.HANDLE_KILLPRIV_V2
    | Init.SETXATTR_EXT
    | Init.INIT_EXT
    | Init.PASSTHROUGH
    # A file handle could not be opened once the kernel has dropped its inode: better none than one that goes stale.
    | Init.NO_EXPORT_SUPPORT
    | Init.HAS_RESEND
)
RESENT = 1 << 63
"""Marks the number of a request that is handed out again (FUSE_UNIQUE_RESEND)."""


@dataclass(slots=True)
class Request:
    """One request: its header, and its body in the session's buffer; the same object each time."""

    op: int
    node: int
    uid: int
    gid: int
    pid: int
    body: memoryview


Reply = bytes | list[bytes] | None
"""An answer's body; None where the kernel expects no answer at all."""

Handler = Callable[[Request], Reply]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What this kernel can do."""

    minor: int
    flags: Init

    @property
    def passthrough(self) -> bool:
        """Whether opens may be handed to a file behind."""
        return bool(self.flags & Init.PASSTHROUGH)

    @property
    def epochs(self) -> bool:
        """Whether one message can make all names be looked up again."""
        return self.minor >= _EPOCH_MINOR

    @property
    def resends(self) -> bool:
        """Whether a successor is told what was not answered, and can have all names looked up again."""
        return self.epochs and bool(self.flags & Init.HAS_RESEND)


class Operations(Protocol):
    """What answers requests."""

    handlers: dict[int, Handler]

    def begin(self, session: "Session", agreement: Agreement) -> None:
        """Called once, before the first request."""
        ...

    def end(self) -> None:
        """Called once, after the last request."""
        ...

    def catch_up(self) -> None:
        """Called before each request, under the lock."""
        ...

    def again(self, request: "Request", done: bool) -> "Reply":
        """Answer a request that a predecessor had begun (`done`: and carried out) when it died."""
        ...


class Session:
    """Serves one descriptor of /dev/fuse until the mount goes away."""

    def __init__(
        self, fd: int, operations: Operations, lock: threading.RLock, held: Held, stack_depth: int = 1
    ) -> None:
        """Takes the descriptor over.  `lock` is held around every handler; `held` may be a predecessor's."""
        self.fd = fd
        self.requests = 0
        """Counts requests, for those who promise that there are none."""
        self.ready = threading.Event()
        self.ended = threading.Event()
        self.closed = False
        self.agreement: Agreement | None = None
        self._operations = operations
        self._handlers = operations.handlers
        self._lock = lock
        self._stack_depth = stack_depth
        self._held = held
        self._begun, self._done = held.doing & ~RESENT, held.done
        self._thread = threading.Thread(target=self._serve, name="fuse", daemon=True)

    def start(self) -> None:
        """Begin to serve; what a predecessor was asked and did not answer is asked again."""
        if self._held.minor:
            self.agreement = Agreement(self._held.minor, Init(self._held.flags))
            self._operations.begin(self, self.agreement)
            self._tell(Notify.RESEND, b"")
            self.inc_epoch()
            self.ready.set()
        self._thread.start()

    def refuse(self) -> None:
        """Answer every further request with ENODEV: the state belongs to somebody else from now on."""
        with self._lock:
            self.closed = True

    # Telling the kernel.  Never from a handler or under its lock: the kernel may be waiting for an answer.

    def inval_entry(self, parent: int, name: bytes) -> None:
        """Forget what a name leads to, or that it leads nowhere.  Waits for who is at work in the folder."""
        self._tell(Notify.INVAL_ENTRY, INVAL_ENTRY_OUT.pack(parent, len(name), 0) + name + b"\0")

    def inval_inode(self, ino: int, offset: int = 0, length: int = 0) -> None:
        """Forget an inode's attributes, and its pages or listing from `offset` on (-1: keep those)."""
        self._tell(Notify.INVAL_INODE, INVAL_INODE_OUT.pack(ino, offset, length))

    def inc_epoch(self) -> None:
        """Look every name up again before its next use."""
        self._tell(Notify.INC_EPOCH, b"")

    def _tell(self, code: Notify, body: bytes) -> None:
        if self.ended.is_set():
            return
        try:
            os.write(self.fd, _notice(code, body))
        except OSError as error:
            # ENOENT: the kernel does not know it, so it can't be wrong about it.
            if error.errno not in (errno.ENOENT, errno.ENODEV, errno.ENOTDIR, errno.EBADF):
                _log.warning("notification %s failed: %s", code.name, error)

    # Serving

    def _serve(self) -> None:
        buffer = mmap.mmap(-1, MAX_WRITE + mmap.PAGESIZE)
        view = memoryview(buffer)
        request = Request(0, 0, 0, 0, 0, view)
        try:
            while self._serve_one(buffer, view, request):
                pass
        finally:
            self.ended.set()
            self.ready.set()
            self._operations.end()
            os.close(self.fd)

    def _serve_one(self, buffer: mmap.mmap, view: memoryview, request: Request) -> bool:
        try:
            size = os.readv(self.fd, (buffer,))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                return True
            if error.errno != errno.ENODEV:
                _log.error("reading requests failed: %s", error)
            return False
        self.requests += 1
        _, op, unique, request.node, request.uid, request.gid, request.pid, _, _ = _unpack_header(view)
        request.op = op
        request.body = view[_HEADER:size]
        reply: Reply = None
        code = 0
        handler, held = self._handlers.get(op), self._held
        try:
            if handler is None:
                if op == _INIT:
                    reply = self._init(request.body)
                else:
                    code = errno.ENOSYS
            else:
                with self._lock:
                    if self.closed:
                        code = errno.ENODEV
                    elif self._begun and unique & ~RESENT == self._begun:
                        self._begun = 0
                        reply = self._operations.again(request, self._done)
                        held.ends()
                    elif op in _UNANSWERED:
                        # They may overtake a request that is asked again, whose number must stay on record.
                        handler(request)
                    else:
                        if not self._begun:
                            self._operations.catch_up()
                        held.begins(unique)
                        reply = handler(request)
                        held.ends()
        except OSError as error:
            held.fails()
            code = error.errno or errno.EIO
        except Exception:  # noqa: BLE001 - the supervising loop: one bad request must not end the mount
            _log.exception("request %s failed", op)
            code = errno.EIO
        if op not in _UNANSWERED and (code or reply is not None):
            self._answer(unique, code, reply)
        return True

    def _answer(self, unique: int, code: int, reply: Reply) -> None:
        try:
            if code or reply is None:
                os.write(self.fd, _pack_header(_OUT, -code, unique))
            elif isinstance(reply, bytes):
                if len(reply) < _SMALL:
                    os.write(self.fd, _pack_header(_OUT + len(reply), 0, unique) + reply)
                else:
                    os.writev(self.fd, (_pack_header(_OUT + len(reply), 0, unique), reply))
            else:
                size = _OUT + sum(map(len, reply))
                os.writev(self.fd, (_pack_header(size, 0, unique), *reply))
        except OSError as error:
            # ENOENT: the caller was interrupted and does not wait any more.
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                _log.error("answering failed: %s", error)

    def _init(self, body: memoryview) -> Reply:
        major, minor, readahead, flags = INIT_IN.unpack_from(body)
        if major != _MAJOR or minor < _OLDEST_MINOR:
            _log.error("this kernel speaks FUSE %d.%d, too old for us", major, minor)
            return [INIT_OUT.pack(_MAJOR, _OLDEST_MINOR, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]
        offered = Init(flags)
        if flags & Init.INIT_EXT and len(body) >= INIT_IN.size + 4:
            offered |= Init(int.from_bytes(body[INIT_IN.size : INIT_IN.size + 4], "little") << 32)
        agreed = _WANTED & offered
        self.agreement = Agreement(min(minor, _NEWEST_MINOR), agreed)
        self._held.agree(self.agreement.minor, int(agreed))
        self._operations.begin(self, self.agreement)
        self.ready.set()
        return INIT_OUT.pack(
            _MAJOR,
            min(minor, _NEWEST_MINOR),
            readahead,
            agreed & 0xFFFFFFFF,
            64,
            48,
            MAX_WRITE,
            1,
            MAX_WRITE // mmap.PAGESIZE,
            0,
            agreed >> 32,
            self._stack_depth if agreed & Init.PASSTHROUGH else 0,
        )


def after_listing(device: int, folders: Iterable[int]) -> None:
    """Have names looked up again and folders listed anew as soon as nobody is amid listing them.

    The kernel lets nobody forget a name of a folder meanwhile; this is one that no entry can have.  See `apart`.
    """
    for folder in folders:
        with contextlib.suppress(OSError):
            os.write(device, _notice(Notify.INVAL_ENTRY, INVAL_ENTRY_OUT.pack(folder, 1, 0) + b"/\0"))
    os.write(device, _notice(Notify.INC_EPOCH, b""))
    for folder in folders:
        with contextlib.suppress(OSError):
            os.write(device, _notice(Notify.INVAL_INODE, INVAL_INODE_OUT.pack(folder, 0, 0)))


def _notice(code: Notify, body: bytes) -> bytes:
    return OUT_HEADER.pack(OUT_HEADER.size + len(body), code, 0) + body
