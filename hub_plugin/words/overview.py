"""What is said of folders, versions and students, with a hub and without."""

from hub_plugin.words.catalogue import _, plural

TITLE = "Synced Folders"
LANGUAGE = _("en")
SKIP = _("Skip to the students")
LIVE = _("Live")
CONNECTING = _("Connecting")
LOST = _("Connection lost; trying again")
NO_SCRIPT = _("This page shows how things were when it was loaded; reload it to see what is new.")
GIT_SERVER = _("Git server")
PROBLEMS = _("Problems")
FOLDERS = _("The instructor's folder")
PUBLISHED = _("Published versions")
VERSION = _("Version")
WHAT_CHANGED = _("What changed")
PUBLISHED_AT = _("Published")
NOTHING_PUBLISHED = _("Nothing has been published yet.")
NO_MESSAGE = _("(no message)")
WHERE = _("Folder")
GOES_TO = _("Goes to")
BRANCH = _("branch")
WAITING_TO_BE_PUBLISHED = _("Waiting to be published")
NO_FOLDER = _("No folder is published from here yet; add one with “syncd add FOLDER REMOTE”.")
NO_PUBLISHER = _("This page was started without a publisher, so it shows only the students' side.")
STUDENTS = _("The students' folders")
STUDENT = _("Student")
STATE = _("State")
UPDATED = _("Updated")
NEVER = _("never")
COUNTS = _("Who has which version")
NOT_PUBLISHED = _("Left out of what is published")
WARNINGS = _("Worth a look")
LEFT_OUT = _("Left out of the students' folders")
NO_COURSE = _("No course is followed on this node yet; start it with “syncd node --course NAME=REMOTE”.")
NO_STUDENTS = _("No student has a folder of this course here yet.")
NO_NODE = _("This page was started without a node, so it shows only the instructor's side.")
UNKNOWN = _("Nothing is known yet.")
UNFOLLOWED = _("This node does not follow the course any more; the folders stay as they are.")
NO_VERSION = _("no version yet")
UNNAMED = _("(no name)")
STUDENTS_FOLDER = _("Folder")
WAITING_FILES = _("Updates that wait")
NOTES = _("What happened to files")
KINDS = {"overlay": _("overlay"), "plain": _("plain folder")}
UP_TO_DATE = _("Up to date")
NEEDS_ATTENTION = _("Needs attention")
WAITING = _("Waiting")
CHECKING = _("Looking")


def ago(seconds: float) -> str:
    """How long something is past, as `Intl.RelativeTimeFormat` says it; the future is now."""
    if seconds < 45:
        return _("just now")
    for unit, length, below in (("minute", 60, 3600), ("hour", 3600, 86_400), ("day", 86_400, 30 * 86_400)):
        if seconds < below - length / 2:
            return _past(max(1, int(seconds / length + 0.5)), unit)
    if seconds < 345 * 86_400:
        return _past(max(1, int(seconds / (30.44 * 86_400) + 0.5)), "month")
    return _past(max(1, int(seconds / (365.25 * 86_400) + 0.5)), "year")


JUST_NOW = ago(0)


def _past(count: int, unit: str) -> str:
    match unit:
        case "minute":
            return plural("{count} minute ago", "{count} minutes ago", count)
        case "hour":
            return plural("{count} hour ago", "{count} hours ago", count)
        case "day":
            return _("yesterday") if count == 1 else plural("{count} day ago", "{count} days ago", count)
        case "month":
            return _("last month") if count == 1 else plural("{count} month ago", "{count} months ago", count)
    return _("last year") if count == 1 else plural("{count} year ago", "{count} years ago", count)


def files(count: int) -> str:
    """`1 file`, `2 files`."""
    return plural("{count} file", "{count} files", count)


def publish(count: int | None, short: str) -> str:
    """Beside a published version's message: how much it was, and its commit for those who know git."""
    return ", ".join(part for part in (files(count) if count else "", short) if part)


def publishing(count: int) -> str:
    """A push is under way."""
    return _("Publishing {files} ...").format(files=files(count)) if count else _("Publishing ...")


def settling(count: int) -> str:
    """Saves were noticed; the quiet time is not over."""
    return _("Noticed changes in {files} ...").format(files=files(count)) if count else _("Noticed changes ...")


def offline(count: int) -> str:
    """The remote can't be reached."""
    return _("Offline, {files} waiting").format(files=files(count)) if count else _("Offline")


def paused(count: int) -> str:
    """The person paused the folder, or a guard did."""
    return _("Paused, {files} waiting").format(files=files(count)) if count else _("Paused")


def needs_you(sentence: str) -> str:
    """The person who looks at this page must act."""
    return _("Needs you: {sentence}").format(sentence=sentence) if sentence else _("Needs you")


def waits(count: int) -> str:
    """An update of a student's files waits."""
    return plural("{count} file waits", "{count} files wait", count)


def behind(versions: int | None) -> str:
    """A student's folder shows an older version."""
    if versions is None:
        return _("Behind")
    return plural("{count} version behind", "{count} versions behind", versions)


def ahead() -> str:
    """A student's folder shows a version that this node no longer calls the newest."""
    return _("On another version")


def nothing_yet() -> str:
    """A student's folder has not shown any version."""
    return _("Nothing here yet")


def version(number: int) -> str:
    """A version's name for people."""
    return _("v{number}").format(number=number)


def share(label: str, count: int, total: int) -> str:
    """`v37: 2 of 3`."""
    return _("{label}: {count:,} of {total:,}").format(label=label, count=count, total=total)


def last_known(status: str) -> str:
    """A status from before its source went down."""
    return _("Last known: {status}").format(status=status.removesuffix(" ..."))


def on_its_way(label: str) -> str:
    """A version is published, the node does not have it yet."""
    return _("{label} is on its way.").format(label=label)


def newest(label: str) -> str:
    """The version that students get."""
    return _("Newest for students: {label}").format(label=label)


def tally_waiting(count: int) -> str:
    """How many students' folders have files that wait."""
    return _("{count:,} with files that wait").format(count=count)


def tally_conflicts(count: int) -> str:
    """In how many students' folders something was put beside the student's own."""
    return _("{count:,} with conflicts").format(count=count)


def tally_offline(count: int) -> str:
    """How many students' folders can't be reached, or are not kept just now."""
    return _("{count:,} offline").format(count=count)


def tally_attention(count: int) -> str:
    """How many students' folders need somebody."""
    return plural("{count} needs attention", "{count} need attention", count)


def and_more(count: int) -> str:
    """The end of a list that is not shown whole."""
    return _("and {count:,} more").format(count=count)


def details(waiting: int, notes: int) -> str:
    """What a student's details hold."""
    said = []
    if waiting:
        said.append(waits(waiting))
    if notes:
        said.append(plural("{count} note", "{count} notes", notes))
    return ", ".join(said)


def all_published() -> str:
    """Headline: nothing is under way at the instructor's."""
    return _("Everything is published.")


def headline_folder(name: str, status: str) -> str:
    """Headline: one folder that is not just up to date."""
    return _("{name}: {status}.").format(name=name, status=status.removesuffix(" ...").rstrip("."))


def headline_course(name: str, count: int, total: int) -> str:
    """Headline: how far a course has come."""
    if total == 0:
        return _("{name}: no student's folder yet.").format(name=name)
    if count == total:
        return (
            _("{name}: everybody has the newest version.").format(name=name)
            if total > 1
            else _("{name}: 1 of 1 has the newest version.").format(name=name)
        )
    return _("{name}: {count:,} of {total:,} have the newest version.").format(name=name, count=count, total=total)


def silent(who: str) -> str:
    """A source has not answered for the first time yet."""
    return _("Waiting for {who} to answer ...").format(who=who)


LAST_SAID = _("What you see of it is what it said")
