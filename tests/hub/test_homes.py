"""A hub whose people have no accounts on the machine: their homes are folders, their agents run as the hub does."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from traitlets.config import Config

from hub_plugin import install, words
from hub_plugin.accounts import Account, account_without
from hub_plugin.agents import LocalAgents
from hub_plugin.courses import Course
from hub_plugin.settings import AgentSettings, from_environment
from syncd.core.errors import NeedsUser, TryAgain


def test_the_service_is_told_where_homes_are() -> None:
    c = Config()
    install(c, courses={"ds8": "https://x/y"}, home="/srv/homes/{username}")
    assert from_environment(c.JupyterHub.services[0]["environment"]).home == "/srv/homes/{username}"


def test_a_person_has_the_folder_of_their_name() -> None:
    assert account_without("ada", "/srv/{username}/home") == Account(
        "ada", os.getuid(), os.getgid(), Path("/srv/ada/home")
    )


@pytest.mark.parametrize("name", ["", "..", "../ben", "a/b", ".ssh"])
def test_a_name_that_leads_elsewhere_has_no_home(name: str) -> None:
    with pytest.raises(NeedsUser):
        account_without(name, "/srv/{username}")


async def test_an_agent_that_never_answers_keeps_nobody_waiting_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_plugin.agent_socket._ANSWER_S", 0.2)
    settings = AgentSettings((), tmp_path / "node.sock", agent_state=".", home=str(tmp_path / "{username}"))
    (tmp_path / "ada").mkdir()
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until whoever asked has given up
        writer.close()
        gone.set()

    async with await asyncio.start_unix_server(silent, tmp_path / "ada/agent.sock"):
        async with asyncio.timeout(20):
            with pytest.raises(TryAgain) as told:
                await LocalAgents(settings).ask("ada", "update", {"course": "ds8"})
            await gone.wait()
    assert str(told.value) == words.AGENT_SILENT


async def test_an_agent_that_ends_at_once_is_not_waited_for(tmp_path: Path) -> None:
    settings = AgentSettings(
        (), tmp_path / "node.sock", home=str(tmp_path / "{username}"), patience_s=60, command=("false",)
    )
    (tmp_path / "ada").mkdir()
    async with asyncio.timeout(20):
        with pytest.raises(NeedsUser) as told:
            await LocalAgents(settings).ensure("ada", (Course("ds8", "https://x/y", folder="ds8"),))
    assert str(told.value) == words.agent_ended(1)


def test_an_agent_loads_nothing_that_a_folder_does_not_need() -> None:
    code = (
        "import sys, syncd.cli.main, syncd.cli.student, fuse_mount.view; print({'aiohttp', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
