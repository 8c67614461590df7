"""Agents, settings and the state: for whoever sets the hub up."""

from hub_plugin.words.catalogue import _

AGENT_AWAY = _("Your folder is kept up to date only while your server runs; start it and try again.")
AGENT_SILENT = _("The program that keeps the folder does not answer just now; try again in a moment.")
AGENT_SLOW = _("The folders take longer than a server's start may wait; they come as soon as they can.")
PARENT_AWAY = _("Nobody starts agents on this node just now; start that with: systemctl start syncd-agents")
PARENT_REFUSES = _(
    "The hub may not start agents on this node; run “syncd agents run” with --group and the hub's group."
)
PARENT_FOLDERS = _("With c.SyncedFolders.agents_socket a course's folder is ~/NAME; take “folder” out of its settings.")
LOG_NOT_READY = _("the server starts before its synced folders are ready.")
LOG_NOT_ENDED = _("the agent of the synced folders may still run.")
REDIS_AWAY = _("Redis does not answer just now; the replicas of the service act alone until it does.")
EXTERNAL_NEEDS = _("An external service needs c.SyncedFolders.service_url and c.SyncedFolders.api_token.")


def no_account(name: str) -> str:
    """A hub's user has no account here."""
    return _("{name!r} has no account on this machine; see c.SyncedFolders.system_user.").format(name=name)


def agent_cannot_start(why: str) -> str:
    """The agent's program can't be run."""
    return _("The agent can't be started ({why}); see that the students may run this hub's Python.").format(why=why)


def node_has_no(course: str, user: str) -> str:
    """The node does not give somebody a course."""
    return _("The node gives {user} no course {course}; see that it follows the course, and its members.").format(
        user=user, course=course
    )


def members_file(course: str) -> str:
    """The first line of a list of members."""
    return _("Kept by the hub, from its groups of {course}: what you change here is lost.").format(course=course)


def members_unwritable(folder: str, why: str) -> str:
    """The lists of members can't be kept."""
    return _(
        "The lists of members in {folder} can't be written ({why}), so the node has those of before: "
        "make the folder the hub's own, and its group the node's (install -d -m 2750 -g synced-folders {folder})."
    ).format(folder=folder, why=why)


def members_unsafe(folder: str) -> str:
    """Everybody could put another list there."""
    return _("Everybody can write to {folder}, so no list of members is kept there: chmod o-w {folder}").format(
        folder=folder
    )


def agent_ended(code: int) -> str:
    """The agent ended by itself."""
    return _("The agent ended at once (status {code}); its reason is in the hub's log.").format(code=code)


def no_database(why: str) -> str:
    """The state can't be had."""
    return _("The service's database can't be used ({why}); see c.SyncedFolders.db_url.").format(why=why)


def bad_redis(why: str) -> str:
    """An address that is none of Redis."""
    return _("The address in c.SyncedFolders.redis_url can't be used: {why}").format(why=why)


def unknown_setting(name: str) -> str:
    """`install(c, NAME=...)` with a name that there is not."""
    return _("Synced Folders has no setting named {name!r}; see the list in the documentation.").format(name=name)


def bad_setting(why: str) -> str:
    """A setting of the wrong kind."""
    return _("A setting of c.SyncedFolders does not fit: {why}.").format(why=why)


def bad_course_name(name: str) -> str:
    """A course's name that can't be one."""
    return _("{name!r} can't be a course's name: use letters, digits, '.', '_' and '-' only.").format(name=name)


def course_needs_remote(name: str) -> str:
    """A course without a remote."""
    return _("The course {name} needs the address of its git repository: give it as “remote”.").format(name=name)


def course_unknown_setting(name: str, setting: str) -> str:
    """A course with a setting that there is not."""
    return _(
        "The course {name} has a setting {setting!r} that is not known; see the list in the documentation."
    ).format(name=name, setting=setting)


def course_text_expected(name: str) -> str:
    """A course whose setting is no text."""
    return _("Branch, folder and title of the course {name} must be texts.").format(name=name)


def course_bad_folder(name: str) -> str:
    """A course whose folder is not in the home."""
    return _("The folder of the course {name} must be a path inside the home, without '..' and hidden folders.").format(
        name=name
    )


def course_bad_groups(name: str) -> str:
    """A course whose groups are no list."""
    return _("The groups of the course {name} must be lists of names of the hub's groups.").format(name=name)


def folders_clash(name: str) -> str:
    """Two courses in one folder."""
    return _("The folder of the course {name} is also another course's, or inside it: give each its own.").format(
        name=name
    )
