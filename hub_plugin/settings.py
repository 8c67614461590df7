"""What the hub's configuration tells the service: values that travel as JSON in the service's environment.

No secret is among them: the service has its token from the hub, and makes the webhooks' secrets itself.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hub_plugin import words
from hub_plugin.courses import Course
from syncd.core.errors import NeedsUser

VARIABLE = "SYNCED_FOLDERS_SETTINGS"


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings."""

    courses: tuple[Course, ...] = ()
    node: str = ""
    """The node's socket on this machine; '' where the service has none."""
    publisher: str = ""
    """The state folder of a publisher on this machine; '' if instructors publish elsewhere."""
    agents: bool = True
    """Whether agents are started on this machine."""
    agents_socket: str = ""
    """Where their parent listens; '' where the hub starts each itself."""
    agent_state: str = ".local/state/synced-folders/agent"
    """Where an agent keeps its state, from the student's home."""
    view: str = ""
    patience_s: float = 5.0
    system_user: str = "{username}"
    home: str = ""
    """A person's home, with `{username}`, where people have no accounts and all is run by one; '': as accounts say."""
    admin_groups: tuple[str, ...] = ()
    node_services: tuple[str, ...] = ()
    """Services of the hub that may report as nodes."""
    default_account: str = "data-8"
    allowed_repositories: tuple[str, ...] = ()
    """Patterns of repositories that a link may add; see `allowed.py`."""
    db_url: str = "sqlite:///synced-folders.sqlite"
    redis_url: str = ""
    """Tells several replicas of the service of each other's events; '' where there is one."""
    staff_group: str = "course-{name}-staff"
    """The group of the instructors of a course that a link added."""
    members_folder: str = ""
    """Where the node's lists of members are kept; '' if somebody else does."""
    public_url: str = ""
    """The hub's address as browsers and git hosts see it, for links and webhooks; '' if only the request tells."""

    def of_agents(self) -> "AgentSettings":
        """What of them says how an agent is started."""
        return AgentSettings(
            courses=self.courses,
            node=Path(self.node),
            agent_state=self.agent_state,
            system_user=self.system_user,
            home=self.home,
            view=self.view,
            patience_s=self.patience_s,
            parent=self.agents_socket,
            links_add=bool(self.allowed_repositories),
            members_folder=self.members_folder,
        )

    def to_json(self) -> str:
        """For the environment of the service."""
        return json.dumps(asdict(self))


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings that the hub gave this process.  NeedsUser if it gave none that can be read."""
    try:
        said = json.loads(environment[VARIABLE])
        courses = tuple(_course(course) for course in said.pop("courses"))
        for name in ("admin_groups", "node_services", "allowed_repositories"):
            said[name] = tuple(said.get(name, ()))
        return Settings(courses=courses, **said)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise NeedsUser(words.BAD_SETTINGS) from error


def _course(said: dict[str, Any]) -> Course:
    lists: dict[str, Any] = {key: tuple(value) for key, value in said.items() if isinstance(value, list)}
    return Course(**{**said, **lists})


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """How the spawner's hooks start a student's agent."""

    courses: tuple[Course, ...]
    node: Path
    agent_state: str = ".local/state/synced-folders/agent"
    system_user: str = "{username}"
    view: str = ""
    patience_s: float = 5.0
    """How long a server's start waits for the folders, at most."""
    quiet_s: float = 2.0
    links_add: bool = False
    """Whether there may be courses that links added."""
    home: str = ""
    """Where a person's home is if they have no account; see `Settings.home`."""
    command: tuple[str, ...] = ()
    members_folder: str = ""
    """See `Settings.members_folder`."""
    parent: str = ""
    """The socket of the agents' parent; '' where the hub starts each agent itself."""
