"""One line in jupyterhub_config.py: what it adds, and that it takes nothing away."""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.app import JupyterHub
from traitlets.config import Config

from hub_plugin import install
from hub_plugin.courses import Course
from hub_plugin.hooks import after_stop, before_start
from hub_plugin.hub_address import HubAddress
from hub_plugin.settings import VARIABLE, from_environment
from syncd.core.errors import NeedsUser, TryAgain

COURSES = {"ds8": "https://github.com/data-8/textbook"}


def installed(**sections: dict[str, Any]) -> Config:
    c = Config(sections)
    c.SyncedFolders.courses = COURSES
    install(c)
    return c


def spawner(name: str = "ada", groups: tuple[str, ...] = ("course-ds8",)) -> Any:
    return SimpleNamespace(user=SimpleNamespace(name=name, groups=[SimpleNamespace(name=g) for g in groups]), name="")


def test_a_second_install_changes_nothing() -> None:
    c = installed()
    before = repr(c)
    install(c)
    assert repr(c) == before


def test_what_was_there_stays() -> None:
    theirs = {"name": "idle-culler", "command": ["x"]}
    role = {"name": "user", "scopes": ["self"]}
    c = installed(JupyterHub={"services": [theirs], "load_roles": [role]}, Proxy={"extra_routes": {"/a/": "http://b"}})
    assert c.JupyterHub.services[0] == theirs
    assert c.JupyterHub.load_roles[0] == {"name": "user", "scopes": ["self"]}
    assert c.Proxy.extra_routes["/a/"] == "http://b"
    assert "user_redirect_hook" not in c.JupyterHub  # nbgitpuller's links are its own unless one opts in


def test_lists_that_were_only_added_to_stay_too() -> None:
    c = Config()
    c.JupyterHub.services.append({"name": "early"})
    install(c, courses=COURSES)
    assert [service["name"] for service in c.JupyterHub.services] == ["early", "synced-folders"]


def test_the_service_has_no_right_but_to_read_its_groups() -> None:
    roles = installed().JupyterHub.load_roles
    service = [role for role in roles if role.get("services")]
    assert [role["scopes"] for role in service] == [
        [f"{right}:groups!group={group}" for group in ("course-ds8", "course-ds8-staff") for right in ("list", "read")]
    ]
    assert not any("admin" in scope for role in roles for scope in role["scopes"])


def test_an_open_course_lets_everybody_in_and_keeps_their_own_rights() -> None:
    c = Config()
    install(c, courses={"ds8": {"remote": "https://x/y", "open_to_all": True}})
    assert c.JupyterHub.load_roles[-1] == {
        "name": "user",
        "scopes": ["self", "access:services!service=synced-folders"],
    }


def test_the_hub_itself_takes_this_configuration() -> None:
    hub = JupyterHub(config=installed())
    assert hub.services[0]["name"] == "synced-folders"
    assert hub.load_roles


def test_settings_reach_the_service() -> None:
    c = installed()
    settings = from_environment(c.JupyterHub.services[0]["environment"])
    assert settings.courses == (
        Course("ds8", COURSES["ds8"], None, "ds8", "ds8", ("course-ds8",), ("course-ds8-staff",)),
    )
    for environment in ({}, {VARIABLE: "x"}, {VARIABLE: "[]"}, {VARIABLE: '{"courses": [{"x": 1}]}'}):
        with pytest.raises(NeedsUser):
            from_environment(environment)
    with pytest.raises(NeedsUser):
        HubAddress.from_environment({})


def test_an_external_service_needs_address_and_token() -> None:
    c = Config()
    with pytest.raises(NeedsUser):
        install(c, courses=COURSES, managed=False)
    install(c, courses=COURSES, managed=False, service_url="http://sync:9000", api_token="t")
    assert c.JupyterHub.services[0]["api_token"] == "t"
    assert "command" not in c.JupyterHub.services[0]


@pytest.mark.parametrize("wrong", [{"colour": 1}, {"patience": "long"}, {"view": "cloud"}, {"courses": {"a b": "x"}}])
def test_a_wrong_setting_is_said_in_one_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(NeedsUser) as problem:
        install(Config(), **{"courses": COURSES, **wrong})
    assert "\n" not in str(problem.value)


def test_a_hook_of_a_more_special_spawner_is_chained_too() -> None:
    ran: list[str] = []
    c = installed(
        KubeSpawner={"pre_spawn_hook": lambda spawner: ran.append("theirs")},
        SystemdSpawner={"server_token_scopes": ["self"]},
    )
    asyncio.run(c.KubeSpawner.pre_spawn_hook(spawner(groups=())))
    assert ran == ["theirs"]
    assert "access:services!service=synced-folders" in c.SystemdSpawner.server_token_scopes
    assert {"users:activity!user", "access:servers!server"} < set(c.Spawner.server_token_scopes)


class Failing:
    """Agents that do not come up in one way or another."""

    def __init__(self, problem: Exception | None) -> None:
        self.problem = problem
        self.asked: list[str] = []

    async def ensure(self, user: str, courses: object) -> None:
        self.asked.append(f"ensure {user}")
        await self._fail()

    async def end(self, user: str) -> None:
        self.asked.append(f"end {user}")
        await self._fail()

    async def ask(self, user: str, question: str, body: object = None) -> dict[str, Any]:
        raise NotImplementedError

    async def _fail(self) -> None:
        if self.problem is None:
            await asyncio.sleep(60)
        else:
            raise self.problem


@pytest.mark.parametrize("problem", [TryAgain("The node is away."), RuntimeError("a fault"), OSError(28, "full"), None])
async def test_nothing_keeps_a_student_from_the_server(problem: Exception | None) -> None:
    agents = Failing(problem)
    courses = (Course("ds8", "https://x/y", groups=("course-ds8",)),)
    await before_start(agents, courses, None, -0.99)(spawner())
    await after_stop(agents, None, -4.99)(spawner())
    assert agents.asked == ["ensure ada", "end ada"]
    await before_start(agents, courses, None, 1)(spawner("eve", ()))
    assert agents.asked == ["ensure ada", "end ada"]
    await before_start(agents, courses, None, -0.99, links_add=True)(spawner("eve", ()))
    assert agents.asked[2:] == ["ensure eve"]  # who may have followed a link


async def test_earlier_hooks_run_first_and_keep_their_say() -> None:
    agents, ran = Failing(OSError()), []

    async def waiting(spawner: Any) -> None:
        ran.append("async")

    def refusing(spawner: Any) -> None:
        ran.append("sync")
        raise PermissionError("no server for you")

    await before_start(agents, (), waiting, 1)(spawner())
    with pytest.raises(PermissionError):
        await before_start(agents, (Course("ds8", "x", open_to_all=True),), refusing, 1)(spawner())
    assert ran == ["async", "sync"]
    assert agents.asked == []
    with pytest.raises(PermissionError):
        await after_stop(agents, refusing, 1)(spawner())
    assert agents.asked == ["end ada"]


def test_the_hub_loads_nothing_of_the_service() -> None:
    code = "import sys, hub_plugin.configure; print({'aiohttp', 'jinja2', 'alembic', 'pygit2'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "set()"
