"""Every English text of the page, in one place.

Texts that JavaScript needs stand in the page as data attributes; relative times are worded there by the browser's own
`Intl.RelativeTimeFormat`, whose English `ago` follows.
"""

TITLE = "Synced Folders"
SKIP = "Skip to the students"
LIVE = "Live"
CONNECTING = "Connecting"
LOST = "Connection lost; trying again"
NO_SCRIPT = "This page shows how things were when it was loaded; reload it to see what is new."
GIT_SERVER = "Git server"
PROBLEMS = "Problems"

FOLDERS = "The instructor's folder"
PUBLISHED = "Published versions"
VERSION = "Version"
WHAT_CHANGED = "What changed"
PUBLISHED_AT = "Published"
NOTHING_PUBLISHED = "Nothing has been published yet."
NO_MESSAGE = "(no message)"
WHERE = "Folder"
GOES_TO = "Goes to"
BRANCH = "branch"
WAITING_TO_BE_PUBLISHED = "Waiting to be published"
NO_FOLDER = "No folder is published from here yet; add one with “syncd add FOLDER REMOTE”."
NO_PUBLISHER = "This page was started without a publisher, so it shows only the students' side."

STUDENTS = "The students' folders"
STUDENT = "Student"
STATE = "State"
UPDATED = "Updated"
NEVER = "never"
COUNTS = "Who has which version"
NOT_PUBLISHED = "Left out of what is published"
WARNINGS = "Worth a look"
LEFT_OUT = "Left out of the students' folders"
NO_COURSE = "No course is followed on this node yet; start it with “syncd node --course NAME=REMOTE”."
NO_STUDENTS = "No student has a folder of this course here yet."
NO_NODE = "This page was started without a node, so it shows only the instructor's side."
UNKNOWN = "Nothing is known yet."
UNFOLLOWED = "This node does not follow the course any more; the folders stay as they are."
NO_VERSION = "no version yet"
UNNAMED = "(no name)"
STUDENTS_FOLDER = "Folder"
WAITING_FILES = "Updates that wait"
NOTES = "What happened to files"

KINDS = {"overlay": "overlay", "plain": "plain folder"}

UP_TO_DATE = "Up to date"
NEEDS_ATTENTION = "Needs attention"
WAITING = "Waiting"
CHECKING = "Looking"


def ago(seconds: float) -> str:
    """How long something is past, as `Intl.RelativeTimeFormat` says it; the future is now."""
    if seconds < 45:
        return "just now"
    for unit, length, below in (("minute", 60, 3600), ("hour", 3600, 86_400), ("day", 86_400, 30 * 86_400)):
        if seconds < below - length / 2:
            return _past(max(1, int(seconds / length + 0.5)), unit)
    if seconds < 345 * 86_400:
        return _past(max(1, int(seconds / (30.44 * 86_400) + 0.5)), "month")
    return _past(max(1, int(seconds / (365.25 * 86_400) + 0.5)), "year")


JUST_NOW = ago(0)


def _past(count: int, unit: str) -> str:
    if unit == "day" and count == 1:
        return "yesterday"
    if count == 1 and unit in ("month", "year"):
        return f"last {unit}"
    return f"{count} {unit}{'' if count == 1 else 's'} ago"


def files(count: int) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} file{'' if count == 1 else 's'}"


def publish(count: int | None, short: str) -> str:
    """Beside a published version's message: how much it was, and its commit for those who know git."""
    return ", ".join(part for part in (files(count) if count else "", short) if part)


def publishing(count: int) -> str:
    """A push is under way."""
    return f"Publishing {files(count)} ..." if count else "Publishing ..."


def settling(count: int) -> str:
    """Saves were noticed; the quiet time is not over."""
    return f"Noticed changes in {files(count)} ..." if count else "Noticed changes ..."


def offline(count: int) -> str:
    """The remote can't be reached."""
    return f"Offline, {files(count)} waiting" if count else "Offline"


def paused(count: int) -> str:
    """The person paused the folder, or a guard did."""
    return f"Paused, {files(count)} waiting" if count else "Paused"


def needs_you(sentence: str) -> str:
    """The person who looks at this page must act."""
    return f"Needs you: {sentence}" if sentence else "Needs you"


def waits(count: int) -> str:
    """An update of a student's files waits."""
    return f"{files(count)} {'waits' if count == 1 else 'wait'}"


def behind(versions: int | None) -> str:
    """A student's folder shows an older version."""
    if versions is None:
        return "Behind"
    return f"{versions} version{'' if versions == 1 else 's'} behind"


def ahead() -> str:
    """A student's folder shows a version that this node no longer calls the newest."""
    return "On another version"


def nothing_yet() -> str:
    """A student's folder has not shown any version."""
    return "Nothing here yet"


def version(number: int) -> str:
    """A version's name for people."""
    return f"v{number}"


def share(label: str, count: int, total: int) -> str:
    """`v37: 2 of 3`."""
    return f"{label}: {count:,} of {total:,}"


def last_known(status: str) -> str:
    """A status from before its source went down."""
    return f"Last known: {status.removesuffix(' ...')}"


def on_its_way(label: str) -> str:
    """A version is published, the node does not have it yet."""
    return f"{label} is on its way."


def newest(label: str) -> str:
    """The version that students get."""
    return f"Newest for students: {label}"


def tally_waiting(count: int) -> str:
    """How many students' folders have files that wait."""
    return f"{count:,} with files that wait"


def tally_attention(count: int) -> str:
    """How many students' folders need somebody."""
    return f"{count:,} need{'s' if count == 1 else ''} attention"


def and_more(count: int) -> str:
    """The end of a list that is not shown whole."""
    return f"and {count:,} more"


def details(waiting: int, notes: int) -> str:
    """What a student's details hold."""
    said = []
    if waiting:
        said.append(waits(waiting))
    if notes:
        said.append("1 note" if notes == 1 else f"{notes:,} notes")
    return ", ".join(said)


def all_published() -> str:
    """Headline: nothing is under way at the instructor's."""
    return "Everything is published."


def headline_folder(name: str, status: str) -> str:
    """Headline: one folder that is not just up to date."""
    return f"{name}: {status.removesuffix(' ...').rstrip('.')}."


def headline_course(name: str, count: int, total: int) -> str:
    """Headline: how far a course has come."""
    if total == 0:
        return f"{name}: no student's folder yet."
    if count == total:
        return f"{name}: everybody has the newest version." if total > 1 else f"{name}: 1 of 1 has the newest version."
    return f"{name}: {count:,} of {total:,} have the newest version."


def silent(who: str) -> str:
    """A source has not answered for the first time yet."""
    return f"Waiting for {who} to answer ..."


LAST_SAID = "What you see of it is what it said"

PUBLISHER = "the publisher"
NODE = "the node's service"

PUBLISHER_MISSING = "No publisher is running on this computer; start it with “syncd run”."
PUBLISHER_DOWN = "The publisher is not running just now; start it with “syncd run”."
PUBLISHER_SECRET = "This page may not read the publisher's control.json; start it as the person who runs the publisher."
PUBLISHER_STRANGE = "The publisher's control.json does not name a server on this computer; restart the publisher."
PUBLISHER_REFUSES = "The publisher does not accept its own token; restart the publisher."
NODE_MISSING = "The node's service is not running on this computer; start it with “syncd node”."
NODE_SECRET = "This page may not open the node's socket; start it as a user who may."


def slow(who: str) -> str:
    """A source takes too long."""
    return f"{who[:1].upper()}{who[1:]} does not answer; if this lasts, restart it."


def strange(who: str) -> str:
    """A source says something else than agreed."""
    return f"{who[:1].upper()}{who[1:]} said something that this page can't read; are both of the same version?"


BAD_HOST = "This page answers only under the name of this computer; open it as http://127.0.0.1 with its port."
NOT_FOUND = "There is nothing here; the page is one level up."
ONLY_GET = "This page can only be read."
FULL = "Too many pages are open already; close some and reload."


def listening(url: str) -> str:
    """The one line that the command prints."""
    return f"The page is at {url}"


COMMAND = "A page on this computer that shows folders, their versions and who has which, live."
HELP_PUBLISHER = "the publisher's state folder, which holds control.json"
HELP_NODE = "the node's socket, node.sock in its store"
HELP_GIT_URL = "shown on the page as text, so that people know where the course is"
HELP_LISTEN = "where to listen; only on loopback, port 0 takes a free one (default: 127.0.0.1:0)"
HELP_READY_FILE = 'written when the page can be opened: {"url": ...}'
NO_SOURCE = "There is nothing to show; give --publisher STATE_FOLDER, --node SOCKET, or both."


def bad_listen(text: str) -> str:
    """`--listen` is not an address."""
    return f"{text} is no address to listen on; give one like 127.0.0.1:8080."


def not_loopback(text: str) -> str:
    """`--listen` is open to others."""
    return f"{text} can be reached by others, and this page has no login; give an address like 127.0.0.1:8080."


def cannot_listen(text: str, why: str) -> str:
    """The port is taken, or is not ours."""
    return f"The page can't listen on {text} ({why}); give another port, or 0 for any free one."
