"""Names, times, attributes and listings, in the form in which the kernel sends and reads them."""

import errno
import os
import stat

from fuse_mount.inode import Attr
from fuse_mount.kernel import protocol as p

_U64 = 0xFFFFFFFFFFFFFFFF


def name_in(body: memoryview) -> bytes:
    """A name in a request: it ends with a zero byte."""
    return bytes(body).split(b"\0", 1)[0]


def ns_of(seconds: int, rest: int) -> int:
    """A time in nanoseconds, from what travels."""
    # Times before 1970 travel as unsigned numbers.
    return (seconds - (1 << 64) if seconds >> 63 else seconds) * 1_000_000_000 + rest


def packed(attr: Attr) -> tuple[int, ...]:
    """Attributes as the kernel's `struct fuse_attr` has them."""
    ino, mode, nlink, uid, gid, rdev, size, blocks, atime_ns, mtime_ns, ctime_ns, blksize = attr
    atime, atime_ns = divmod(atime_ns, 1_000_000_000)
    mtime, mtime_ns = divmod(mtime_ns, 1_000_000_000)
    ctime, ctime_ns = divmod(ctime_ns, 1_000_000_000)
    if rdev:
        major, minor = os.major(rdev), os.minor(rdev)
        rdev = (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)
    # Times before 1970 travel as unsigned numbers.
    return (
        ino,
        size,
        blocks,
        atime & _U64,
        mtime & _U64,
        ctime & _U64,
        atime_ns,
        mtime_ns,
        ctime_ns,
        mode,
        nlink,
        uid,
        gid,
        rdev,
        blksize,
        0,
    )


def dirent_of(ino: int, cookie: int, name: bytes, mode: int) -> bytes:
    """A name in a listing, filled up to where the next one may begin."""
    body = p.DIRENT.pack(ino, cookie, len(name), stat.S_IFMT(mode) >> 12) + name
    return body + bytes(p.aligned(len(body)) - len(body))


def sized(value: bytes, room: int) -> bytes:
    """An extended attribute's answer: only its size if there is no room.  OSError(ERANGE) for too little."""
    if room == 0:
        return p.GETXATTR_IN.pack(len(value), 0)
    if len(value) > room:
        raise OSError(errno.ERANGE, os.strerror(errno.ERANGE))
    return value
