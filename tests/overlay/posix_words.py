"""The words of `posix_table`: each does one call in the current folder, and answers with text or an OSError."""

import errno
import fcntl
import mmap
import os
import pickle
import re
import stat
import subprocess
from collections.abc import Callable, Mapping

from fuse_mount.syscalls import Rename, renameat2

Seen = Mapping[str, os.stat_result]
Word = Callable[..., str | None]

_HERE = -100
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}


def _spelled(word: str) -> str:
    """`<255>` is a name of so many bytes, `file@4095` a path of so many that leads to `file`."""
    word = re.sub(r"<(\d+)>", lambda found: "n" * int(found[1]), word)
    name, at, length = word.partition("@")
    if not at:
        return word
    room = int(length) - len(name)
    return ("./" * (room // 2) + name) if room % 2 == 0 else (".//" + "./" * (room // 2 - 1) + name)


def _flags(text: str) -> int:
    number = 0
    for name in text.split("|"):
        number |= getattr(os, "O_" + name)
    return number


def _about(found: os.stat_result) -> str:
    kind = _KINDS[stat.S_IFMT(found.st_mode)]
    said = f"{kind} {stat.S_IMODE(found.st_mode):o}"
    if kind in ("file", "link"):
        said += f" {found.st_size}"
    return said if kind == "dir" else f"{said} links {found.st_nlink}"


def _open(path: str, flags: str, mode: str = "644") -> None:
    os.close(os.open(path, _flags(flags), int(mode, 8)))


def _put(path: str, text: str, flags: int) -> None:
    fd = os.open(path, os.O_WRONLY | flags, 0o644)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _read(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        data = os.read(fd, 1 << 20)
    finally:
        os.close(fd)
    return data.decode("latin-1").replace("\0", "0")


def _map(path: str, text: str) -> None:
    """Write through a shared mapping."""
    fd = os.open(path, os.O_RDWR)
    with mmap.mmap(fd, 0) as mapped:
        mapped[0 : len(text)] = text.encode()
    os.close(fd)


def _mknod(path: str, kind: str, numbers: str = "0:0", mode: str = "644") -> None:
    what = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO, "f": stat.S_IFREG, "s": stat.S_IFSOCK}[kind]
    major, minor = map(int, numbers.split(":"))
    os.mknod(path, what | int(mode, 8), os.makedev(major, minor))


def _renamed(flags: Rename) -> Word:
    def word(old: str, new: str) -> None:
        renameat2(_HERE, os.fsencode(old), _HERE, os.fsencode(new), flags)

    return word


def _linked(old: str, new: str) -> None:
    """A second name for what a link leads to.  Only with a folder's descriptor Python asks the kernel to follow."""
    here = os.open(".", os.O_PATH)
    try:
        os.link(old, new, src_dir_fd=here, follow_symlinks=True)
    finally:
        os.close(here)


def _unlinked(path: str) -> str:
    """What a file is to those who have it open when it loses its last name."""
    fd = os.open(path, os.O_RDWR)
    os.unlink(path)
    os.pwrite(fd, b"X", 1)
    os.fchmod(fd, 0o640)
    found, data = os.fstat(fd), os.pread(fd, 5, 0)
    os.close(fd)
    return f"{data.decode()} {_about(found)}"


def _replaced(old: str, new: str) -> str:
    """What a file is to those who have it open when another takes its name."""
    fd = os.open(new, os.O_RDONLY)
    os.rename(old, new)
    links, data = os.fstat(fd).st_nlink, os.pread(fd, 5, 0)
    os.close(fd)
    return f"{data.decode()} links {links}"


def _tmpfile(folder: str, name: str) -> str:
    """A file without a name gets one."""
    fd = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o640)
    os.write(fd, b"made")
    links = os.fstat(fd).st_nlink
    _linked(f"/proc/self/fd/{fd}", name)
    os.close(fd)
    return f"links {links}"


def _chain(path: str, length: str) -> str:
    """Links to links: the kernel follows forty."""
    for number in range(int(length)):
        os.symlink(path if number == 0 else f"chain{number - 1}", f"chain{number}")
    return _read(f"chain{int(length) - 1}")


def _deep(name: str, depth: str) -> str:
    """Folders in folders until the whole path is longer than any call takes; there and back."""
    long, held = name * 50, [os.open(".", os.O_RDONLY)]
    try:
        for _ in range(int(depth)):
            os.mkdir(long, dir_fd=held[-1])
            held.append(os.open(long, os.O_RDONLY | os.O_DIRECTORY, dir_fd=held[-1]))
        fd = os.open("bottom", os.O_CREAT | os.O_RDWR, 0o600, dir_fd=held[-1])
        os.write(fd, b"deep")
        os.close(fd)
        os.rename("bottom", "moved", src_dir_fd=held[-1], dst_dir_fd=held[-1])
        os.chmod("moved", 0o640, dir_fd=held[-1])
        os.symlink("moved", "link", dir_fd=held[-1])
        fd = os.open("link", os.O_RDONLY, dir_fd=held[-1])
        said = f"{os.read(fd, 9).decode()} {_about(os.fstat(fd))} {' '.join(sorted(os.listdir(held[-1])))}"
        os.close(fd)
        os.unlink("link", dir_fd=held[-1])
        os.unlink("moved", dir_fd=held[-1])
        while len(held) > 1:
            os.close(held.pop())
            os.rmdir(long, dir_fd=held[-1])
    finally:
        for fd in held:
            os.close(fd)
    return said


def _times(path: str) -> str:
    found = os.lstat(path)
    return f"{found.st_atime_ns} {found.st_mtime_ns}"


def _since(before: os.stat_result, path: str) -> str:
    now = os.lstat(path)
    moved = [("mtime", before.st_mtime_ns != now.st_mtime_ns), ("ctime", before.st_ctime_ns != now.st_ctime_ns)]
    return " ".join(name for name, is_so in moved if is_so) or "nothing"


def _lock(path: str) -> None:
    fd = os.open(path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


WORDS: dict[str, Word] = {
    "access": lambda path, mode: None if os.access(path, int(mode), effective_ids=True) else "no",
    "append": lambda path, text: _put(path, text, os.O_APPEND),
    "chain": _chain,
    "chmod": lambda path, mode: os.chmod(path, int(mode, 8)),
    "chown": lambda path, uid, gid: os.chown(path, int(uid), int(gid)),
    "create": lambda path, mode="644": _open(path, "CREAT|EXCL|WRONLY", mode),
    "deep": _deep,
    "exchange": _renamed(Rename.EXCHANGE),
    "lchown": lambda path, uid, gid: os.lchown(path, int(uid), int(gid)),
    "link": lambda old, new: os.link(old, new, follow_symlinks=False),
    "linked": _linked,
    "list": lambda path: " ".join(sorted(os.listdir(path))),
    "lock": _lock,
    "lutimens": lambda path, a, m: os.utime(path, ns=(int(a), int(m)), follow_symlinks=False),
    "map": _map,
    "mkdir": lambda path, mode="777": os.mkdir(path, int(mode, 8)),
    "mkfifo": lambda path, mode="666": os.mkfifo(path, int(mode, 8)),
    "mknod": _mknod,
    "noreplace": _renamed(Rename.NOREPLACE),
    "open": _open,
    "owner": lambda path: "{0.st_uid}:{0.st_gid}".format(os.lstat(path)),
    "read": _read,
    "readlink": os.readlink,
    "rename": os.rename,
    "replaced": _replaced,
    "rmdir": os.rmdir,
    "run": lambda path: subprocess.check_output([f"./{path}"], text=True).strip(),
    "same": lambda a, b: "same" if os.path.samestat(os.lstat(a), os.lstat(b)) else "other",
    "stat": lambda path: _about(os.stat(path)),
    "lstat": lambda path: _about(os.lstat(path)),
    "symlink": os.symlink,
    "times": _times,
    "tmpfile": _tmpfile,
    "touch": lambda path: os.utime(path),
    "truncate": lambda path, size: os.truncate(path, int(size)),
    "umask": lambda mask: (os.umask(int(mask, 8)), None)[1],
    "unlink": os.unlink,
    "unlinked": _unlinked,
    "utimens": lambda path, a, m: os.utime(path, ns=(int(a), int(m))),
    "write": lambda path, text: _put(path, text, os.O_CREAT | os.O_TRUNC),
    "xattr": lambda path, value: os.setxattr(path, "user.mine", value.encode()),
    "getxattr": lambda path: os.getxattr(path, "user.mine").decode(),
}


def said(step: str, before: Seen) -> str:
    """What a step gives: the error's name, or what it answers."""
    first, *more = step.split()
    if first == "as":
        return _as(int(more[0]), " ".join(more[1:]), before)
    words = ["" if word == "''" else _spelled(word) for word in more]
    try:
        if first == "since":
            return _since(before[words[-1]], words[0])
        return WORDS[first](*words) or ""
    except ValueError as error:
        return str(error)
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def _as(uid: int, step: str, before: Seen) -> str:
    """The same by a child that has become another account, standing in the same folder."""
    hear, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setegid(uid)
            os.seteuid(uid)
            os.write(say, pickle.dumps(said(step, before)))
        except BaseException as error:  # noqa: BLE001  (a child of the test: it must not go on into pytest)
            os.write(say, pickle.dumps(repr(error)))
        os._exit(0)
    os.close(say)
    with os.fdopen(hear, "rb") as answers:
        answer = pickle.loads(answers.read())
    os.waitpid(child, 0)
    return str(answer)
