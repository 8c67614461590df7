"""Every English text of the folder's page, in one place; what JavaScript says stands in the page as data attributes."""

import unicodedata
from datetime import datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

TITLE = "Synced Folders"
SKIP = "Skip to the content"
LIVE = "Live"
LOST = "Not connected. If this stays, run “syncd open” again."
NO_SCRIPT = "This page shows how things were when it was loaded; reload it to see what is new."
SENDING = "One moment ..."
COPIED = "Copied"
NOT_COPIED = "Select the text and copy it by hand."
FAILED = "The publisher did not answer; is it still running?"
ALL_FOLDERS = "All folders"
FOLDERS = "Folders"
NO_FOLDER = "No folder is synced yet."
HOW_TO_ADD = "To add a folder, say in a terminal:"
ADD_COMMAND = "syncd add FOLDER ADDRESS-OF-THE-REPOSITORY"
PARTS = "Parts of this folder"
NOW, FILES, HISTORY, PUBLISH = "Now", "Files and links", "History", "Publish"
WHERE, GOES_TO, BRANCH = "Folder", "Goes to", "branch"
DETAILS = "Details"

UP_TO_DATE = "Up to date"
PAUSED = "Paused"
OFFLINE = "Offline"
NEEDS_YOU = "Needs you:"

WAITING = "Waiting"
WHY_WAITING = "These are still being written; each goes out as soon as it is whole."
LEFT_OUT = "Not published"
WARNINGS = "Worth a look"
NOTES = "What happened to files"
RECENT = "Recent changes"
NOTHING_YET = "Nothing has been saved yet."
NOT_PUBLISHED_YET = "not published yet"
NO_MESSAGE = "(no message)"
PUBLISH_ANYWAY = "Publish anyway"

PAUSE, RESUME = "Pause", "Resume"
TRY_AGAIN, TRY_NOW = "Try again", "Try now"
RESTORE_FILES = "Bring the files back"
PUBLISH_DELETION = "I meant it: publish the deletion"
KEEP_BOTH = "Keep both sides’ files"
KEEP_THEIRS = "Follow the remote"
REMOVE = "Stop syncing it"
PUBLISH_AGAIN = "Publish this folder again"

HINTS = {
    "held": "Whatever you choose, earlier versions stay among the versions.",
    "rewritten": "Whatever you choose, your files stay among the versions.",
    "refused": "It is tried again now and then; what you save is kept here until it works.",
    "missing": "It is looked for every few seconds; this page changes when it is there. What was published stays.",
    "trouble": "It is tried again every few seconds; this page changes when it works.",
}

TOKEN = "Token for"
TOKEN_MAKE = "Make a"
TOKEN_PAGE = "fine-grained token on"
TOKEN_RIGHTS = "for this repository alone, with “Contents: read and write”."
TOKEN_WHERE = "Make one that may read and write this repository’s contents, in the settings of your account on"
TOKEN_KEPT = "It is tried, kept where only you can read it, and never shown."
USE_TOKEN = "Use this token"

TRANSFERS = {"push": "Sending", "fetch": "Receiving"}
TRANSFERRING = "Transferring"

RESTORING = "Restoring"

STUDENTS = "Students"
FOLLOW_OWN = "Students follow this folder’s own branch: each save goes to them at once."
FOLLOW_LIVE = "Each save goes to students at once, without what is for staff. Their branch:"
FOLLOW_RELEASE = "Students get what you publish here, when you say so. Their branch:"
TO_RELEASE = "Choose what students get, and when"
TO_LIVE = "Send each save at once"
TO_OWN = "Let them follow this folder’s own branch"
CHANGE_WAY = "Change how students get it"
PUBLISH_TITLE = "Publish to students"
NOTHING_TO_PUBLISH = "Students have everything as it is now."
CHOOSE = "What they don’t have yet; choose some, or leave all empty to publish everything"
MESSAGE = "What is it?"
MESSAGE_HELP = "For example: Lab 3 and its data. Students may see it."
WHEN = "When"
WHEN_HELP = "Leave it empty to publish now."
PLANNED = "Planned"
ON_ITS_WAY = "on its way"
CANCEL = "Cancel"
PUBLISHED = "Published"
NOTHING_PUBLISHED = "Nothing was published yet."
UNDO = "Undo"
CHANGES = {"add": "new", "update": "changed", "delete": "deleted"}

HISTORY_TITLE = "What was done here"
HISTORY_HELP = "A file leads to its earlier versions, also when it was deleted."

CHECKPOINTS = "Checkpoints"
CHECKPOINTS_HELP = "Names for the whole folder as it was; “syncd checkpoint NAME” in a terminal makes one."
CHECKPOINT = "Checkpoint"

FILES_OF = "Files"
FOLDER_UP = "Up"
FIND = "File or folder"
SHOW = "Show"
EMPTY_FOLDER = "There are no files here."
FOLDER_KIND, FILE_KIND = "folder", "file"
VERSIONS = "Earlier versions"
VERSION_AT, VERSION_WHAT, VERSION_WHO = "When", "What changed", "Who"
RESTORE = "Restore"
PRESENT = "present version"
GONE = "deleted then"
NO_VERSIONS = "There is no version of this yet."
RESTORE_KEEPS = "Restoring keeps the present version among the versions."
LINKS = "Links for students"
HUB = "Address of the hub"
HUB_HELP = "As in the browser, for example https://hub.example.edu; kept for this folder."
SAVE = "Save"
COPY = "Copy"
LINK_KINDS = {
    "interact": "Interact link",
    "nbgitpuller": "nbgitpuller link",
    "hub": "Hub link, for students who have the folder already",
    "badge": "Badge for Markdown pages",
}
NO_HUB = "Say above where the hub is, and the links stand here."

SAID = {
    "pause": "Paused: what you save is kept here and published later.",
    "resume": "Going on.",
    "hint": "Asking the remote now.",
    "hub": "The address is kept.",
}

EXPIRED = "This page was opened in another browser, or too long ago. Run “syncd open” to open it here."
USED = "This link was used already, or is too old. Run “syncd open” for a new one."
WRONG_HOST = "This page answers only under its own address. Run “syncd open” to open it."
WRONG_ORIGIN = "Only the page itself may ask for this. Run “syncd open”, and use the buttons there."
WRONG_FORM = "This form is too old. Reload the page and try again."
NOT_FOUND = "There is nothing here."
NO_SUCH_FOLDER = "This folder is not synced any more."
FULL = "Too many pages are open already; close some and reload."
ENTERING = "Opening your folders ..."
CONTINUE = "Go on to your folders"


def plain(text: str) -> str:
    """Text of somebody else's, without what would deceive the reader: controls and turns of direction."""
    return "".join("\ufffd" if _deceives(c) else c for c in text)


def _deceives(c: str) -> bool:
    return c in _TURNS or (c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cs"))


_TURNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def without_secrets(remote: str) -> str:
    """An address without name, password and query."""
    try:
        parts = urlsplit(remote)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https"):
        return remote
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def host(remote: str) -> str:
    """The host of a web address, with its port if it has one."""
    try:
        return urlsplit(remote).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def files(count: int) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} file{'' if count == 1 else 's'}"


def changes(count: int) -> str:
    """`1 change`, `2 changes`."""
    return f"{count:,} change{'' if count == 1 else 's'}"


def state(kind: str, sentence: str, waiting: int, pending: int) -> str:
    """A folder's state, short."""
    if kind == "up_to_date":
        return UP_TO_DATE
    if kind == "needs_you":
        return NEEDS_YOU
    if kind == "paused":
        return PAUSED
    waits = f"{files(waiting)} waiting" if waiting else f"{changes(pending)} waiting" if pending else ""
    if kind == "offline":
        return f"{OFFLINE}, {waits}" if waits else OFFLINE
    if kind == "pushing" and pending:
        return f"Publishing {changes(pending)}"
    if waiting:
        return waits
    return sentence.rstrip(".") or "Looking"


def detail(kind: str, sentence: str, left_out: int, warnings: int) -> str:
    """What a state's short words leave open."""
    if kind == "up_to_date":
        parts = [f"{files(left_out)} {'is' if left_out == 1 else 'are'} left out"] if left_out else []
        parts += [f"{warnings:,} worth a look"] if warnings else []
        return f"{', '.join(parts)}." if parts else ""
    if kind == "paused":
        return "What you save is kept here, and published when you resume."
    return sentence if kind in ("needs_you", "offline") else ""


def headline(total: int, asking: int, waiting: int, paused: int) -> str:
    """All folders in one sentence."""
    if not total:
        return NO_FOLDER
    parts = []
    if asking:
        parts.append(f"{asking:,} {'needs' if asking == 1 else 'need'} you")
    if waiting:
        parts.append(f"{waiting:,} {'is' if waiting == 1 else 'are'} on the way")
    if paused:
        parts.append(f"{paused:,} paused")
    if not parts:
        return "Everything is up to date."
    return f"{total:,} folder{'' if total == 1 else 's'}: {', '.join(parts)}."


def size(count: int) -> str:
    """`640 bytes`, `1.2 MB`."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    power = min(4, next((n for n in (1, 2, 3) if count < 999.5 * 1000**n), 4))
    amount, unit = count / 1000**power, ("kB", "MB", "GB", "TB")[power - 1]
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"


def transfer(amount: int, done: int, total: int, seconds_left: object) -> str:
    """How far a transfer is."""
    parts = [size(amount)] if amount else []
    if total:
        parts.append(f"{done:,} of {total:,} parts")
    if isinstance(seconds_left, int | float):
        parts.append(f"about {lasting(seconds_left)} left")
    return ", ".join(parts)


def done_of(done: int, total: int) -> str:
    """How many files are done."""
    return f"{done:,} of {files(total)}" if total else files(done)


def for_students(behind: int, planned: int) -> str:
    """What students don't have yet, and what is planned."""
    parts = [f"{files(behind)} not with students yet"] if behind else []
    if planned:
        parts.append(f"{planned:,} {'release' if planned == 1 else 'releases'} planned")
    return ", ".join(parts)


def cancel_of(what: str, when_: str) -> str:
    """What a cancel button is for, read out."""
    return f"Cancel: {what}, {when_}"


def undo_of(message: str) -> str:
    """What an undo button is for, read out."""
    return f"Undo: {message}"


def lasting(seconds: float) -> str:
    """`8 s`, `3 min`, `2 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"


def when(seconds: int, now: datetime) -> str:
    """A time on this machine's clock: `14:03`, `yesterday 9:12`, `3 Nov 14:03`, `3 Nov 2025`."""
    try:
        at = datetime.fromtimestamp(seconds)
    except (OverflowError, OSError, ValueError):
        return ""
    clock = f"{at:%H:%M}"
    if at.date() == now.date():
        return f"today {clock}"
    if at.date() == (now - timedelta(days=1)).date():
        return f"yesterday {clock}"
    return f"{at.day} {at:%b} {clock}" if at.year == now.year else f"{at.day} {at:%b} {at.year}"


def by(when_: str, author: str, mine: object) -> str:
    """When, and who if it was a colleague."""
    return when_ if mine or not author else f"{when_}, {author}"


def and_more(count: int) -> str:
    """The end of a list that is not shown whole."""
    return f"and {count:,} more"


def copy_what(kind: str) -> str:
    """What a copy button is for, read out."""
    return f"Copy the {kind[0].lower()}{kind[1:]}"


def restore_of(when_: str) -> str:
    """What a restore button brings back, read out."""
    return f"Restore the version of {when_}"


def anyway(path: str) -> str:
    """What a "publish anyway" button is for, read out."""
    return f"Publish {path} anyway"


def opened(url: str) -> str:
    """What `syncd open` prints."""
    return f"Your folders are at {url}\n(This link works once, within a minute.)"
