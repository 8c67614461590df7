"""A hub whose people have no accounts on the machine: their homes are folders, their agents run as the hub does."""

import os
from pathlib import Path

import pytest
from traitlets.config import Config

from hub_plugin import install
from hub_plugin.agents import Account, account_without
from hub_plugin.settings import from_environment
from syncd.core.errors import NeedsUser


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
