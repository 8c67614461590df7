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


# The hub's pages.

MY_COURSES = "My courses"
CLASS = "Class"
SKIP_TO_COURSES = "Skip to the courses"
NO_COURSE_OF_MINE = "You are in no course of this hub; if you should be, ask your instructor to add you."
STUDENTS_NODE_AWAY = (
    "New versions can't be brought just now; your folders stay as they are. If this lasts, tell your instructor."
)
NOT_RUNNING = "Your folder is kept up to date while your server runs"
NOT_RUNNING_MORE = "Start your server to have the newest version."
MINE_ALL_GOOD = "All your folders are up to date."
OPEN_FOLDER = "Open the folder"
UPDATE_NOW = "Update now"
WHATS_NEW = "New since your last visit"
RESTORE = "Get the instructor's version back"
RESTORE_PATH = "File or folder in this course"
RESTORE_BUTTON = "Restore"
RESTORE_WHAT = "Say which file or folder you want the instructor's version of."
RESTORE_HINT = "What you have there now is kept as an earlier version."
TO_CLASS = "See the class"
TO_MINE = "My courses"
LOG_OUT = "Log out of this page"
LOGGED_OUT = "You are logged out of this page. The hub itself may still know you."
LOGGED_IN_AS = "You are"
DONE = "Done"
LINKS = "Links for your course's pages"
LINK_PATH = "File or folder"
LINK_SHOW = "Show links"
LINK_OURS = "Link"
LINK_INTERACT = "Interact"
LINK_GIT_PULL = "nbgitpuller"
LINK_HUB = "Plain hub link"
LINK_HTML = "HTML"
LINK_MARKDOWN = "Markdown"
LINK_TEXT = "Open in JupyterHub"
ROSTER = "Without a folder yet"
ROSTER_ALL = "Everybody on the roster has a folder."
ROSTER_UNKNOWN = "The hub can't say just now who is in this course."
PUBLISHED_ELSEWHERE = "Nobody publishes this course from this machine; what its instructors push still arrives."
UNFOLLOWED_YET = "This hub's node does not follow the course yet; ask whoever runs the hub to add it to the node."

LINK_BAD_PATH = "This link's path does not lead to a file of the course; ask whoever made it for a new one."
LINK_BAD_URLPATH = "This link leads to another place than your server; ask whoever made it for a new one."
LINK_FILE_FORM = (
    "This link names a file that is not of the form https://github.com/OWNER/NAME/blob/BRANCH/PATH; "
    "ask whoever made it for a new one."
)
NO_ACCESS = "You are in no course of this hub that has synced folders; ask your instructor to add you."
NOT_IN_COURSE = "You are not in this course, or this hub has no such course; ask your instructor to add you."
HUB_AWAY = "The hub does not answer just now; try again in a moment."
LOGIN_AGAIN = "Logging in did not work, perhaps because it took too long; open the page again."
FORM_AGAIN = "This page was open for too long, or the request did not come from it; reload it and try again."
NOT_A_SERVICE = (
    "This must be started by JupyterHub, as one of its services; for a page alone use “python -m hub_plugin”."
)
BAD_SETTINGS = "The hub did not say which courses there are; add “install(c)” of hub_plugin to jupyterhub_config.py."
BROKEN = "Something went wrong here; it has been noted for whoever runs the hub. Try again in a moment."
TOO_MANY = "That was too often; wait a minute and try again."

WEBHOOK = "Webhook"
WEBHOOK_HOW = (
    "With a webhook, what is pushed reaches everybody at once. On GitHub: Settings, Webhooks, Add webhook; "
    "GitLab, Gitea and Forgejo have the same under Settings, Webhooks. Choose push events only."
)
WEBHOOK_URL = "URL"
WEBHOOK_TYPE = "Type"
WEBHOOK_SECRET = "Secret"
WEBHOOK_SHOW = "Show the secret"
WEBHOOK_LAST = "Last delivery seen"
WEBHOOK_NONE = "No delivery has been seen yet; until one is, the node asks the remote now and then."
WEBHOOK_TAKEN = "Taken; the node looks now."
WEBHOOK_AGAIN = "Seen before; nothing to do."
WEBHOOK_OTHER = "Not a push to a branch; nothing to do."
WEBHOOK_REFUSED = "The signature does not fit: check URL and secret of the webhook."
WEBHOOK_TOO_LARGE = "A webhook of more than 1 MB is not taken."
WEBHOOK_REPLAYED = "Delivered once more; the node looks now."
ADMIN = "Whole hub"
ADMIN_NODE = "Courses on the node"
COURSE = "Course"
STUDENTS_COUNT = "Folders"
DELIVERIES = "Last webhook deliveries"
NO_DELIVERIES = "No webhook has come yet; each course's page says how to set one up."
WHAT_CAME = "What came of it"
WHEN = "When"
REPLAY = "Deliver again"
API_TOKEN = "What changes something needs a token of the hub: send it as “Authorization: token ...”."
API_JSON = "The request must be a JSON object."
ONLY_ADMINS = "This page is for those who run the hub."

AGENT_AWAY = "Your folder is kept up to date only while your server runs; start it and try again."
AGENT_SILENT = "The program that keeps the folder does not answer just now; try again in a moment."
AGENT_SLOW = "The folders take longer than a server's start may wait; they come as soon as they can."
PARENT_AWAY = "Nobody starts agents on this node just now; start that with: systemctl start syncd-agents"
PARENT_REFUSES = "The hub may not start agents on this node; run “syncd agents run” with --group and the hub's group."
PARENT_FOLDERS = "With c.SyncedFolders.agents_socket a course's folder is ~/NAME; take “folder” out of its settings."
LOG_NOT_READY = "the server starts before its synced folders are ready."
LOG_NOT_ENDED = "the agent of the synced folders may still run."

EXTERNAL_NEEDS = "An external service needs c.SyncedFolders.service_url and c.SyncedFolders.api_token."


def no_account(name: str) -> str:
    """A hub's user has no account here."""
    return f"{name!r} has no account on this machine; see c.SyncedFolders.system_user."


def agent_cannot_start(why: str) -> str:
    """The agent's program can't be run."""
    return f"The agent can't be started ({why}); see that the students may run this hub's Python."


def node_has_no(course: str, user: str) -> str:
    """The node does not give somebody a course."""
    return f"The node gives {user} no course {course}; see that it follows the course, and its members."


def agent_ended(code: int) -> str:
    """The agent ended by itself."""
    return f"The agent ended at once (status {code}); its reason is in the hub's log."


def no_database(why: str) -> str:
    """The state can't be had."""
    return f"The service's database can't be used ({why}); see c.SyncedFolders.db_url."


def unknown_setting(name: str) -> str:
    """`install(c, NAME=...)` with a name that there is not."""
    return f"Synced Folders has no setting named {name!r}; see the list in the documentation."


def bad_setting(why: str) -> str:
    """A setting of the wrong kind."""
    return f"A setting of c.SyncedFolders does not fit: {why}."


def bad_course_name(name: str) -> str:
    """A course's name that can't be one."""
    return f"{name!r} can't be a course's name: use letters, digits, '.', '_' and '-' only."


def course_needs_remote(name: str) -> str:
    """A course without a remote."""
    return f"The course {name} needs the address of its git repository: give it as “remote”."


def course_unknown_setting(name: str, setting: str) -> str:
    """A course with a setting that there is not."""
    return f"The course {name} has a setting {setting!r} that is not known; see the list in the documentation."


def course_text_expected(name: str) -> str:
    """A course whose setting is no text."""
    return f"Branch, folder and title of the course {name} must be texts."


def course_bad_folder(name: str) -> str:
    """A course whose folder is not in the home."""
    return f"The folder of the course {name} must be a path inside the home, without '..' and hidden folders."


def course_bad_groups(name: str) -> str:
    """A course whose groups are no list."""
    return f"The groups of the course {name} must be lists of names of the hub's groups."


def folders_clash(name: str) -> str:
    """Two courses in one folder."""
    return f"The folder of the course {name} is also another course's, or inside it: give each its own."


def link_unknown_course(name: str) -> str:
    """A link to a course that there is not."""
    return f"This hub has no course named “{name}”; ask whoever made the link."


def link_unknown_repository(repo: str) -> str:
    """A link to a repository that is not allowed."""
    return f"This hub does not follow the repository “{repo}”; ask whoever runs the hub to add it as a course."


def link_other_branch(course: str, branch: str) -> str:
    """A link to another branch than the one followed."""
    return f"The course {course} does not follow the branch “{branch}” on this hub; ask whoever made the link."


def link_unknown_app(app: str) -> str:
    """A link for a program that is not known."""
    return f"This link asks for the program “{app}”, which is none of lab, notebook and rstudio."
