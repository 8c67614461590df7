"""The kernel's FUSE protocol, version 7: numbers and layouts of <linux/fuse.h>, and nothing else."""

import struct
from enum import IntEnum, IntFlag


class Op(IntEnum):
    """Requests."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    READLINK = 5
    SYMLINK = 6
    MKNOD = 8
    MKDIR = 9
    UNLINK = 10
    RMDIR = 11
    RENAME = 12
    LINK = 13
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    SETXATTR = 21
    GETXATTR = 22
    LISTXATTR = 23
    REMOVEXATTR = 24
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    FSYNCDIR = 30
    ACCESS = 34
    CREATE = 35
    INTERRUPT = 36
    DESTROY = 38
    IOCTL = 39
    BATCH_FORGET = 42
    FALLOCATE = 43
    READDIRPLUS = 44
    RENAME2 = 45
    LSEEK = 46
    COPY_FILE_RANGE = 47
    SYNCFS = 50
    TMPFILE = 51


class Notify(IntEnum):
    """Messages to the kernel that answer nothing."""

    INVAL_INODE = 2
    INVAL_ENTRY = 3
    DELETE = 6
    RESEND = 7
    INC_EPOCH = 8


class Init(IntFlag):
    """What kernel and file system agree on at the start; bits from 32 on travel in `flags2`."""

    ASYNC_READ = 1 << 0
    ATOMIC_O_TRUNC = 1 << 3
    BIG_WRITES = 1 << 5
    DO_READDIRPLUS = 1 << 13
    ASYNC_DIO = 1 << 15
    PARALLEL_DIROPS = 1 << 18
    MAX_PAGES = 1 << 22
    CACHE_SYMLINKS = 1 << 23
    NO_OPENDIR_SUPPORT = 1 << 24
    EXPLICIT_INVAL_DATA = 1 << 25
    HANDLE_KILLPRIV_V2 = 1 << 28
    SETXATTR_EXT = 1 << 29
    INIT_EXT = 1 << 30
    PASSTHROUGH = 1 << 37
    NO_EXPORT_SUPPORT = 1 << 38
    HAS_RESEND = 1 << 39


class Open(IntFlag):
    """Flags of an open's answer."""

    NONE = 0
    DIRECT_IO = 1 << 0
    KEEP_CACHE = 1 << 1
    CACHE_DIR = 1 << 3
    NOFLUSH = 1 << 5
    PASSTHROUGH = 1 << 7


class Set(IntFlag):
    """Which attributes SETATTR sets."""

    MODE = 1 << 0
    UID = 1 << 1
    GID = 1 << 2
    SIZE = 1 << 3
    ATIME = 1 << 4
    MTIME = 1 << 5
    FH = 1 << 6
    ATIME_NOW = 1 << 7
    MTIME_NOW = 1 << 8
    KILL_SUIDGID = 1 << 11


WRITE_KILL_SUIDGID = 1 << 2
OPEN_KILL_SUIDGID = 1 << 0
FSYNC_DATA_ONLY = 1

IN_HEADER = struct.Struct("<IIQQIIIHH")  # len, opcode, unique, nodeid, uid, gid, pid, extension words, padding
OUT_HEADER = struct.Struct("<IiQ")  # len, error (or a notification's code), unique

INIT_IN = struct.Struct("<IIII")  # major, minor, max_readahead, flags; then flags2
INIT_OUT = struct.Struct("<IIIIHHIIHHII24x")
# major, minor, max_readahead, flags, background, congestion, max_write, granularity, pages, align, flags2, stack depth

ATTR = struct.Struct("<6Q10I")
# ino, size, blocks, atime, mtime, ctime, their ns, mode, nlink, uid, gid, rdev, blksize, flags
ENTRY_HEAD = struct.Struct("<4Q2I")  # nodeid, generation, entry valid, attr valid, their ns
ATTR_HEAD = struct.Struct("<QII")  # valid, its ns, padding
ENTRY_OUT = struct.Struct("<4Q2I6Q10I")
ATTR_OUT = struct.Struct("<QII6Q10I")

FORGET_IN = struct.Struct("<Q")
BATCH_FORGET_IN = struct.Struct("<II")
FORGET_ONE = struct.Struct("<QQ")
SETATTR_IN = struct.Struct("<IIQQQQQQIIIIIIII")
# valid, pad, fh, size, lock owner, atime, mtime, ctime, their ns, mode, unused, uid, gid, unused
MKNOD_IN = struct.Struct("<IIII")  # mode, rdev, umask, padding
MKDIR_IN = struct.Struct("<II")  # mode, umask
RENAME_IN = struct.Struct("<Q")  # new folder
RENAME2_IN = struct.Struct("<QII")  # new folder, flags, padding
LINK_IN = struct.Struct("<Q")  # old node
OPEN_IN = struct.Struct("<II")  # flags, open flags
CREATE_IN = struct.Struct("<IIII")  # flags, mode, umask, open flags
OPEN_OUT = struct.Struct("<QIi")  # fh, flags, backing id
RELEASE_IN = struct.Struct("<QIIQ")  # fh, flags, release flags, lock owner
READ_IN = struct.Struct("<QQIIQII")  # fh, offset, size, read flags, lock owner, flags, padding
WRITE_IN = struct.Struct("<QQIIQII")  # fh, offset, size, write flags, lock owner, flags, padding
WRITE_OUT = struct.Struct("<II")  # size, padding
FSYNC_IN = struct.Struct("<QII")  # fh, flags, padding
STATFS_OUT = struct.Struct("<5Q4I24x")  # blocks, free, available, files, free, bsize, namelen, frsize, padding
SETXATTR_IN = struct.Struct("<II")  # size, flags
SETXATTR_EXT_IN = struct.Struct("<IIII")  # size, flags, setxattr flags, padding
GETXATTR_IN = struct.Struct("<II")  # size, padding
FALLOCATE_IN = struct.Struct("<QQQII")  # fh, offset, length, mode, padding
LSEEK_IN = struct.Struct("<QqII")  # fh, offset, whence, padding
LSEEK_OUT = struct.Struct("<Q")
COPY_IN = struct.Struct("<QQQQQQQ")  # fh in, offset in, node out, fh out, offset out, length, flags
DIRENT = struct.Struct("<QQII")  # ino, offset, name length, type; then the name, padded to 8

INVAL_INODE_OUT = struct.Struct("<Qqq")  # ino, offset, length
INVAL_ENTRY_OUT = struct.Struct("<QII")  # parent, name length, flags; then the name and a zero

BACKING_OPEN = 0x4010E501
BACKING_CLOSE = 0x4004E502
BACKING_MAP = struct.Struct("<iIQ")  # fd, flags, padding


def aligned(length: int) -> int:
    """The length, rounded up to eight bytes."""
    return (length + 7) & ~7
