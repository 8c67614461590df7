"""The commands as a whole: each has help that fits a terminal, answers programs, and finds the folder we are in."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from commands import Person, one_sentence

from syncd.cli.main import cli
from syncd.publisher.registry import Folder, Registry

DAEMONS = {"run", "node", "agent", "mount", "demo"}
"""They have no result; nor have groups, and the shell reads completion."""
OF_A_HUB = {"agents", "node"}
"""Their answers are JSON always, or for the one who looks on."""


def commands(group: click.Group, name: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        yield f"{name} {each}".strip(), command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {each}".strip())


ALL = dict(commands(cli))


@pytest.mark.parametrize("name", ["", *ALL])
def test_help_fits_a_terminal_and_says_what_each_option_is(name: str) -> None:
    shown = CliRunner().invoke(cli, [*name.split(), "--help"], terminal_width=80)
    assert shown.exit_code == 0
    assert [line for line in shown.output.splitlines() if len(line) > 80] == []
    assert "..." not in shown.output.partition("Usage:")[2].partition("\n\n")[2]  # nothing cut off
    for option in ALL[name].params if name else ():
        assert not isinstance(option, click.Option) or option.hidden or option.help


def test_what_has_an_answer_gives_it_to_programs_as_well() -> None:
    silent = {
        name
        for name, command in ALL.items()
        if not isinstance(command, click.Group)
        and "--json" not in {opt for each in command.params for opt in each.opts}
    }
    assert {name for name in silent if name.split()[0] not in OF_A_HUB} == (DAEMONS - OF_A_HUB) | {"completion"}


def test_the_folder_we_are_in_is_meant(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(person.state)
    monkeypatch.setenv("SYNCD_STATE", str(person.state))
    for name in ("one", "two"):
        (person.home / name / "labs").mkdir(parents=True)
        registry.add(Folder(name, person.home / name, "http://127.0.0.1:1/x", "main"))
    said = said_in(person.home / "two/labs", "pause")
    assert str(person.home / "two") in said and [each.paused for each in registry.folders()] == [False, True]
    assert "which folder is meant" in said_in(person.home, "resume", fails=True)
    assert json.loads(said_in(person.home, "resume", str(person.home / "two"), "--json"))["folder"].endswith("/two")


@pytest.mark.slow
def test_a_removed_folder_is_a_folder_like_any_other(person: Person) -> None:
    registry = Registry(person.state)
    registry.add(Folder("one", person.folder, "http://127.0.0.1:1/x", "main"))
    (person.folder / "a").write_text("mine")
    person.publish()
    assert "like any other" in person.say("remove", person.folder).stdout
    assert json.loads(person.say("status", "--json").stdout)["folders"] == []
    assert (person.folder / "a").read_text() == "mine" and registry.folders() == ()
    assert "not a synced folder" in one_sentence(person.say("remove", person.folder))


def test_who_is_in_no_synced_folder_is_told_so(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_STATE", str(person.state))
    for command in ("versions", "restore", "log", "allow"):
        assert "`syncd status` lists them" in said_in(person.home, command, str(person.home / "x"), fails=True)


def test_a_slip_in_a_command_is_told_to_people_and_to_programs(person: Person) -> None:
    done = person.say("statuss", "--json")
    assert done.returncode == 2 and "Did you mean “status”?" in done.stderr
    assert "statuss" in json.loads(done.stdout)["error"]
    assert "Did you mean" not in person.say("bogus").stderr


@pytest.mark.slow
def test_the_only_folder_is_meant_by_its_log_too(person: Person) -> None:
    Registry(person.state).add(Folder("one", person.folder, "http://127.0.0.1:1/x", "main"))
    assert person.say("log").stdout == f"Nothing was done to {person.folder} yet.\n"
    Registry(person.state).add(Folder("two", person.home / "two", "http://127.0.0.1:1/y", "main"))
    assert "none of your synced folders" in one_sentence(person.say("log"))


def said_in(place: Path, *arguments: str, fails: bool = False) -> str:
    before = os.getcwd()
    os.chdir(place)
    try:
        done = CliRunner().invoke(cli, arguments)
    finally:
        os.chdir(before)
    assert (done.exception is not None) == fails
    return str(done.exception) if fails else done.output
