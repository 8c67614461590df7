"""What is shown of long work in a terminal, that nothing is where none is, and that names can't steer it."""

import asyncio
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress

import pytest
from commands import TOKEN, Person

from syncd.demo.gitserver import GitServer

pytestmark = pytest.mark.slow


def in_a_terminal(person: Person, *arguments: object) -> str:
    """All that a command shows in a terminal, without its colours."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "syncd", *map(str, arguments)]
    env = person.env | {"TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal, suppress(OSError):  # Linux: EIO when the other side ends
        while more := terminal.read(4096):
            shown += more
    assert process.wait(20) in (0, 3)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


async def test_a_terminal_sees_how_far_it_is_and_a_pipe_does_not(server: GitServer, person: Person) -> None:
    token = person.home / "token"
    token.write_text(TOKEN)
    for number in range(60):
        (person.folder / f"{number}.txt").write_text(str(number))
    url = server.url("ada/course")
    shown = await asyncio.to_thread(in_a_terminal, person, "add", person.folder, url, "--token-file", token)
    assert re.search(r"Reading files .*\d+/\?", shown) and "Uploading" in shown
    second = person.home / "second"
    shown = await asyncio.to_thread(in_a_terminal, person, "add", second, url)
    assert re.search(r"Downloading .*\d+/\d+", shown) and "Writing files" in shown
    piped = await person.does("add", person.home / "third", url)
    assert piped.stderr == "" and "60 files." in piped.stdout


async def test_a_status_has_times_and_no_escapes(server: GitServer, person: Person) -> None:
    token = person.home / "token"
    token.write_text(TOKEN)
    (person.folder / "a\x1b[2Jb.txt").write_text("x")
    url = server.url("ada/course")
    (await person.does("add", person.folder, url, "--token-file", token)).check_returncode()
    stopped = await person.does("status")
    assert stopped.returncode == 3 and "syncd run" in stopped.stdout
    person.publish()
    await person.until_published()
    shown = await person.does("status")
    assert shown.returncode == 0 and "Up to date." in shown.stdout and "today " in shown.stdout
    for path in person.folder.iterdir():
        path.unlink()
    await person.until_published("needs_you")
    asked = await person.does("status")
    assert asked.returncode == 3
    assert f"syncd restore --all {person.folder}" in asked.stdout and f"syncd resume {person.folder}" in asked.stdout
    assert "\x1b" not in shown.stdout + stopped.stdout + asked.stdout
