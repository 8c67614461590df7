"""Names in a tree that must not become files: those dangerous to git or to us, and those Windows can't hold.

Pure tables of git's own `verify_path`, `is_hfs_dotgit` and `is_ntfs_dotgit`, applied to one name at a time.
"""

LONGEST_NAME = 255
"""Bytes; what Linux file systems hold."""

DEEPEST, LONGEST_PATH = 128, 4000
"""Folders above a file, and bytes of its path: what programs on every system can open, below whatever folder."""

LONGEST_LINK = 4095
"""Bytes of a symbolic link's target; what Linux holds."""

# Code points that HFS+ ignores when it compares names (git's utf8.c, next_hfs_char).
_IGNORED_BY_HFS = frozenset(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF],
)
_SHORT_FORMS_OF_GIT = frozenset({"git~1", "git~2", "git~3", "git~4"})
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", *(f"{d}{n}" for d in ("com", "lpt") for n in "123456789¹²³")]
)
_FORBIDDEN_ON_WINDOWS = frozenset('<>:"\\|?*')


def problem(name: bytes) -> str | None:
    """Why a tree entry of this name is left out, in a few words; None if it may be shown."""
    if not name:
        return "has no name"
    if name in (b".", b".."):
        return "would lead to another folder"
    if b"/" in name:
        return "has a slash in its name"
    if b"\0" in name:
        return "has a zero byte in its name"
    if len(name) > LONGEST_NAME:
        return "has a name over 255 bytes"
    if _is_dot_git(name.decode("utf-8", "surrogateescape")):
        return "is named like git's own folder"
    return None


def path_problem(path: bytes) -> str | None:
    """Why a file of this path is left out, each name of which may be shown."""
    if len(path) > LONGEST_PATH:
        return "has too long a path"
    return "lies too deep" if path.count(b"/") > DEEPEST else None


def is_target(content: bytes) -> bool:
    """Whether a symbolic link can have this as its target."""
    return 0 < len(content) <= LONGEST_LINK and b"\0" not in content


def windows_problem(name: str) -> str | None:
    """Why Windows can't hold a file of this name, in a few words; None if it can."""
    if any(c in _FORBIDDEN_ON_WINDOWS for c in name):
        return 'has one of < > : " \\ | ? * in its name'
    if any(ord(c) < 32 for c in name):
        return "has a control character in its name"
    if name.endswith((".", " ")):
        return "ends with a dot or a space"
    if name.split(".")[0].rstrip(" ").lower() in _DEVICES:
        return "is named like a device"
    if len(name.encode("utf-16-le", "surrogatepass")) // 2 > LONGEST_NAME:
        return "has a name over 255 characters"
    return None


def _is_dot_git(name: str) -> bool:
    plain = "".join(c for c in name if ord(c) not in _IGNORED_BY_HFS).lower()
    # NTFS: a colon begins a stream of the file, a backslash ends the name; dots and spaces at the end don't count.
    for ending in (":", "\\"):
        plain = plain.split(ending, 1)[0]
    plain = plain.rstrip(". ")
    return plain == ".git" or plain in _SHORT_FORMS_OF_GIT
