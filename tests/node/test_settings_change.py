"""Settings that change while a node runs: courses come, go and change; the others notice nothing."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from courses import READ, Instructor, secret_file

from syncd.core.errors import SyncError
from syncd.demo.gitserver import GitServer
from syncd.node.client import NodeClient


def _settings(path: Path, *courses: tuple[str, str]) -> None:
    text = "poll_seconds = 60\n"
    for name, url in courses:
        text += f'[[course]]\nname = "{name}"\nremote = "{url}"\nbranch = "main"\ntoken_file = "token"\n'
    path.write_text(text)


async def test_reload_takes_up_new_courses_and_ends_others_without_cutting_a_stream(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    secret_file(tmp_path / "token", READ)
    server.create("second")
    settings = tmp_path / "node.toml"
    _settings(settings, ("first", server.url("course")))
    commit = await instructor.push({"a": b"a"})
    other = Instructor(tmp_path / "other.git", server.url("second"))
    theirs = await other.push({"b": b"b"})
    command = [sys.executable, "-m", "syncd", "node", "--config", str(settings), "--store", str(tmp_path / "store")]
    running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert running.stdout is not None
    try:
        assert b"Keeping first in" in await asyncio.wait_for(running.stdout.readline(), 30)
        async with NodeClient(tmp_path / "store" / "node.sock") as client:
            kept = client.follow("first")
            assert (await anext(kept)).commit == commit
            _settings(settings, ("first", server.url("course")), ("second", server.url("second")))
            running.send_signal(signal.SIGHUP)
            assert await _names(client, {"first", "second"})
            added = client.follow("second")
            assert (await asyncio.wait_for(anext(added), 20)).commit == theirs

            settings.write_text("this is = not TOML [")
            running.send_signal(signal.SIGHUP)  # told in the log; what runs goes on
            newer = await instructor.push({"a": b"newer"})
            await client.hint("first")
            assert (await asyncio.wait_for(anext(kept), 20)).commit == newer, "the stream was cut"

            _settings(settings, ("first", server.url("course")))
            running.send_signal(signal.SIGHUP)
            assert await _names(client, {"first"})
            with pytest.raises(SyncError):
                await asyncio.wait_for(anext(added), 20)
            with pytest.raises(SyncError, match="no course named"):
                await client.hint("second")
            newest = await instructor.push({"a": b"newest"})
            await client.hint("first")
            assert (await asyncio.wait_for(anext(kept), 20)).commit == newest
            await kept.aclose()  # type: ignore[attr-defined]
            await added.aclose()  # type: ignore[attr-defined]
    finally:
        running.terminate()
        await running.wait()
    assert not os.path.exists(tmp_path / "store" / "node.sock")


async def _names(client: NodeClient, wanted: set[str]) -> bool:
    for _ in range(400):
        if {course["name"] for course in (await client.status())["courses"]} == wanted:
            return True
        await asyncio.sleep(0.02)
    return False
