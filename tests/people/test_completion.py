"""The shell's completion, by a real bash."""

import os
import subprocess
import sys

import pytest
from commands import Person

from syncd.publisher.registry import Folder, Registry

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("syncd res", {"restore", "resume"}),
        ("syncd login --cl", {"--client-id"}),
        ("syncd pause ", {"FOLDER"}),
        ("syncd completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes_commands_options_and_folders(person: Person, typed: str, offered: set[str]) -> None:
    Registry(person.state).add(Folder("1", person.folder, "http://x/y", "main"))
    assert completed(person, typed) == {each.replace("FOLDER", str(person.folder)) for each in offered}


def test_other_shells_get_their_own_script(person: Person) -> None:
    for shell, words in [("zsh", "compdef"), ("fish", "complete --no-files --command syncd")]:
        assert words in person.say("completion", shell).stdout


def completed(person: Person, typed: str) -> set[str]:
    """What bash offers, by the script that we give it."""
    command = person.home / "syncd"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m syncd "$@"\n')
    command.chmod(0o755)
    words = typed.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    program = (
        f"{person.say('completion', 'bash').stdout}\nCOMP_WORDS=({quoted})\nCOMP_CWORD={len(words) - 1}\n"
        '_syncd_completion syncd\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    env = person.env | {"PATH": f"{person.home}:{os.environ['PATH']}"}
    return set(subprocess.run(["bash", "-c", program], env=env, capture_output=True, text=True).stdout.split())
