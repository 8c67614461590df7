"""Two nodes with the same homes: a student's folders are served on one of them at a time.

Both are this machine, in mount namespaces with boot ids of their own: the homes are one disk, the processes apart.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from arrived_class import ADA, FIRST, Class
from class_node import ClassNode, until
from repository import READ, WRITE, commit_and_push

from syncd.demo.gitserver import GitServer

pytestmark = [pytest.mark.root, pytest.mark.fuse, pytest.mark.slow]
LEASE = ("--lease", "0.3", "4.0", "6.0")
Story = Callable[[Class, Class], None]


@pytest.fixture
async def nodes(short_path: Path) -> AsyncIterator[tuple[Class, Class]]:
    async with GitServer(short_path / "srv", write_tokens=[WRITE], read_tokens=[READ]) as server:
        await asyncio.to_thread(commit_and_push, short_path / "work", server.create("ds8"), FIRST)
        (short_path / "token").write_text(READ)
        (short_path / "token").chmod(0o600)
        course = f'[[course]]\nname = "ds8"\nremote = "{server.url("ds8")}"\ntoken_file = "{short_path}/token"\n'
        with ExitStack() as stack:
            both = []
            for machine in ("node-a", "node-b"):
                root = short_path / machine
                root.mkdir()
                node = stack.enter_context(ClassNode(root, [ADA], machine, short_path / "home"))
                await asyncio.to_thread(_start, node, course)
                both.append(Class(node, server))
            yield both[0], both[1]


def _start(node: ClassNode, course: str) -> None:
    settings = node.settings(["shared_homes = true\n", course])
    node.start("node", "syncd", "node", "--config", settings)
    node.start("broker", "fuse_mount.broker", node.broker)
    node.start_parent(600.0, 0.0, *LEASE)
    until(lambda: (node.root / "store/courses/ds8/ready.json").exists())


def write(on: Class, name: str, text: str) -> None:
    on.node.run_as(ADA, f"open({str(on.node.home(ADA) / 'ds8' / name)!r}, 'w').write({text!r})")


def state(on: Class) -> str:
    return str(on.ask("ensure", ADA)["folders"][0]["state"])


async def test_folders_pass_to_the_other_node_when_the_first_lets_go_of_them(nodes: tuple[Class, Class]) -> None:
    def story(a: Class, b: Class) -> None:
        assert state(a) == "ready"
        write(a, "mine.txt", "of a\n")
        said = b.ask("ensure", ADA)
        assert said["folders"][0]["state"] == "elsewhere"
        assert said["sentence"] == "These folders are in use on node-a just now; they come here as soon as that ends."
        assert b.node.mounts() == []
        a.ask("end", ADA)
        until(lambda: state(b) == "ready")
        assert b.node.read(ADA, "ds8/mine.txt") == "of a\n" and a.node.mounts() == []
        write(b, "mine.txt", "of b\n")
        assert state(a) == "elsewhere"
        b.ask("end", ADA)
        until(lambda: state(a) == "ready")
        assert a.node.read(ADA, "ds8/mine.txt") == "of b\n"

    await asyncio.to_thread(story, *nodes)


async def test_crashed_agent_goes_on_at_its_node_and_a_node_that_died_is_followed(nodes: tuple[Class, Class]) -> None:
    def story(a: Class, b: Class) -> None:
        assert state(a) == "ready" and state(b) == "elsewhere"
        for number in (signal.SIGKILL, signal.SIGSTOP):  # who is stopped is killed by the kernel, and started again
            before = a.pid(ADA)
            os.kill(before, number)
            assert a.node.read(ADA, "ds8/lab/a.txt") == "one\n"
            until(lambda before=before: a.pid(ADA) not in (0, before))  # type: ignore[misc]
            assert state(a) == "ready" and state(b) == "elsewhere"
        write(a, "mine.txt", "of a\n")
        pid = a.pid(ADA)
        a.node.processes["parent"].send_signal(signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        until(lambda: state(b) == "ready")
        assert b.node.read(ADA, "ds8/mine.txt") == "of a\n"

    await asyncio.to_thread(story, *nodes)


async def test_holder_that_was_stopped_writes_nothing_after_the_other_node_has_taken_over(
    nodes: tuple[Class, Class],
) -> None:
    def story(a: Class, b: Class) -> None:
        assert state(a) == "ready" and state(b) == "elsewhere"
        a.node.run_as(ADA, _WRITER % str(a.node.home(ADA)))
        upper = a.node.home(ADA) / ".local/state/synced-folders/agent/courses/ds8/view/upper/long.txt"
        until(lambda: upper.exists() and upper.stat().st_size > 1000)
        parent, agent = a.node.processes["parent"].pid, a.pid(ADA)
        for pid in (parent, agent):
            os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: state(b) == "ready")
            there = b.node.read(ADA, "ds8/long.txt"), b.node.read(ADA, "ds8/open.txt")
        finally:
            os.kill(parent, signal.SIGCONT)  # the agent is dead by then
        until(lambda: state(a) == "elsewhere")
        until(lambda: a.node.mounts() == [])
        time.sleep(0.3)  # the writers there go on trying
        assert (b.node.read(ADA, "ds8/long.txt"), b.node.read(ADA, "ds8/open.txt")) == there
        written = int(there[0].splitlines()[-1])
        told = int((a.node.home(ADA) / "told").read_text())
        assert told in (written, written - 1), "what the writer was told is written, is"

    await asyncio.to_thread(story, *nodes)


_WRITER = """
import os, time
os.chdir(%r)
if os.fork() == 0:
    os.setsid()
    for fd in (0, 1, 2):
        os.close(fd)
    kept = os.open("ds8/open.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        try:
            os.write(kept, b"more\\n")
        except OSError:
            pass
        time.sleep(0.01)
if os.fork() == 0:
    os.setsid()
    for fd in (0, 1, 2):
        os.close(fd)
    for number in range(1_000_000):
        with open("ds8/long.txt", "a") as out:
            out.write("%%d\\n" %% number)
        with open("told", "w") as out:
            out.write(str(number))
"""
