"""The agent as a process and as a task, against a node that the test plays (it can go away and come back)."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from classroom import Course, Tree

from syncd.agent.control import ask_agent, view_of
from syncd.agent.service import AgentConfig, FollowedCourse, run_agent
from syncd.core.errors import NeedsUser, Stop

PATIENCE_S = 20.0


class PlayedNode:
    """Speaks the node's socket: `publish` makes a commit ready."""

    def __init__(self, course: Course, socket: Path) -> None:
        self.course, self.socket = course, socket
        self.reports: list[dict[str, Any]] = []
        self._line = b""
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.add_routes([web.get("/v1/courses/{name}/follow", self._follow), web.post("/v1/views", self._report)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self.socket.unlink(missing_ok=True)
        await web.UnixSite(self._runner, str(self.socket)).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def publish(self, tree: Tree, ready_at: float = 0.0) -> str:
        snapshot = self.course.commit(tree)
        said = {
            "commit": snapshot.commit,
            "manifest": str(snapshot.manifest.path),
            "blobs": str(snapshot.blobs.root),
            "ready_at": ready_at,
        }
        async with self._news:
            self._line = json.dumps(said).encode() + b"\n"
            self._news.notify_all()
        return snapshot.commit

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["name"] != "ds8":
            return web.Response(status=404, text="This node has no course named that.")
        answer = web.StreamResponse()
        await answer.prepare(request)
        said = b""
        while True:
            async with self._news:
                while said == self._line:
                    await self._news.wait()
                said = self._line
            with suppress(ConnectionError):
                await answer.write(said)

    async def _report(self, request: web.Request) -> web.Response:
        self.reports.append(await request.json())
        return web.json_response({})


async def until(holds: Callable[[], bool]) -> None:
    """For what is seen on disk only: nothing there can be awaited."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(IndexError):  # nothing is reported yet
                if holds():
                    return
            await asyncio.sleep(0.01)


@pytest.fixture
async def node(course: Course, tmp_path: Path) -> AsyncIterator[PlayedNode]:
    played = PlayedNode(course, tmp_path / "n.sock")
    await played.start()
    yield played
    await played.stop()


def config_for(tmp_path: Path, node: PlayedNode, kind: str = "plain", **more: Any) -> AgentConfig:
    followed = (FollowedCourse("ds8", tmp_path / "home" / "ds8"),)
    settings = {"quiet_s": 0.0, "user": "ada", "view": kind, **more}
    return AgentConfig(followed, tmp_path / "agent", node.socket, **settings)


@asynccontextmanager
async def running(config: AgentConfig) -> AsyncIterator[asyncio.Task[None]]:
    up = asyncio.Event()
    task = asyncio.create_task(run_agent(config, ready=lambda facts: up.set()))
    waiting = asyncio.create_task(up.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(config: AgentConfig, question: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    return await asyncio.to_thread(ask_agent, config.state, question, body)


def reads(path: Path, content: bytes) -> Callable[[], bool]:
    def holds() -> bool:
        try:
            return path.read_bytes() == content
        except OSError:  # not there yet; or the mount is a dead agent's, until the next one has it
            return False

    return holds


async def test_commits_arrive_and_the_node_is_told(node: PlayedNode, tmp_path: Path, kind: str) -> None:
    config = config_for(tmp_path, node, kind)
    home = config.courses[0].root
    async with running(config):
        commit = await node.publish({"a": b"x", "lab/b": b"b"})
        await until(lambda: any(report["commit"] == commit for report in node.reports))
        assert (home / "a").read_bytes() == b"x"
        commit = await node.publish({"a": b"y", "lab/b": b"b"})
        await until(reads(home / "a", b"y"))
        await until(lambda: node.reports[-1]["commit"] == commit)
        report = node.reports[-1]
        assert (report["user"], report["course"], report["kind"], report["root"]) == ("ada", "ds8", kind, str(home))
        assert report["state"] == "up_to_date" and report["waiting"] == []
        assert await ask(config, "status") == {"views": [report | {"updated_at": report["updated_at"]}]}
    assert kind == "plain" or not os.path.ismount(home)


async def test_agent_tells_how_soon_a_version_showed_and_what_went_beside(
    node: PlayedNode, tmp_path: Path, kind: str
) -> None:
    config = config_for(tmp_path, node, kind)
    home = config.courses[0].root
    first = await node.publish({"data": b"\0one"}, time.time() - 3600)
    async with running(config):
        await until(lambda: bool(node.reports) and node.reports[-1]["commit"] == first)
        assert node.reports[-1]["visible_s"] is None, "it was ready long before somebody came to see it"
        (home / "data").write_bytes(b"\0mine")
        second = await node.publish({"data": b"\0two"}, time.time())
        await until(lambda: node.reports[-1]["commit"] == second)
        assert 0 <= node.reports[-1]["visible_s"] < PATIENCE_S
        assert node.reports[-1]["beside"] == 1 and len(list(home.iterdir())) == 2


async def test_a_waiting_merge_is_retried_by_itself(node: PlayedNode, tmp_path: Path, kind: str) -> None:
    config = config_for(tmp_path, node, kind)
    home = config.courses[0].root
    async with running(config):
        await node.publish({"a.txt": b"1\n2\n3\n4\n5\n"})
        await until(reads(home / "a.txt", b"1\n2\n3\n4\n5\n"))
        with open(home / "a.txt", "r+b") as editor:  # noqa: ASYNC230
            editor.write(b"I")
            editor.flush()
            await node.publish({"a.txt": b"1\n2\n3\n4\nV\n"})
            await until(lambda: node.reports[-1]["waiting"] == ["a.txt"])
            assert node.reports[-1]["state"] == "waiting" and "a.txt" in node.reports[-1]["sentence"]
        await until(reads(home / "a.txt", b"I\n2\n3\n4\nV\n"))
        await until(lambda: node.reports[-1]["state"] == "up_to_date")
        assert any("a.txt" in note for note in node.reports[-1]["notes"])


async def test_update_now_does_not_wait_for_the_quiet_time(node: PlayedNode, tmp_path: Path, kind: str) -> None:
    config = config_for(tmp_path, node, kind, quiet_s=3600.0)
    home = config.courses[0].root
    async with running(config):
        await node.publish({"a.txt": b"1\n2\n3\n4\n5\n"})
        await until(reads(home / "a.txt", b"1\n2\n3\n4\n5\n"))
        (home / "a.txt").write_bytes(b"I\n2\n3\n4\n5\n")
        await node.publish({"a.txt": b"1\n2\n3\n4\nV\n"})
        await until(lambda: node.reports[-1]["waiting"] == ["a.txt"])
        said = await ask(config, "update", {"course": "ds8"})
        assert said["sentence"].startswith("Up to date")
        assert (home / "a.txt").read_bytes() == b"I\n2\n3\n4\nV\n"


async def test_restore_by_the_control_socket(node: PlayedNode, tmp_path: Path, kind: str) -> None:
    config = config_for(tmp_path, node, kind)
    home = config.courses[0].root
    async with running(config):
        await node.publish({"lab/a": b"x", "b": b"b"})
        await until(reads(home / "lab" / "a", b"x"))
        (home / "lab" / "a").unlink()
        assert await asyncio.to_thread(view_of, config.state, home / "lab" / "a") == ("ds8", "lab/a")
        said = await ask(config, "restore", {"course": "ds8", "path": "lab/a"})
        assert "lab/a" in said["sentence"] and (home / "lab" / "a").read_bytes() == b"x"
        for body in ({"course": "ds8", "path": "none"}, {"course": "other", "path": "a"}, {"course": "ds8"}):
            with pytest.raises(NeedsUser):
                await ask(config, "restore", body)
        with pytest.raises(NeedsUser, match="none of the folders"):
            await asyncio.to_thread(view_of, config.state, tmp_path / "elsewhere")


async def test_a_student_sees_what_was_merged_and_put_beside(node: PlayedNode, tmp_path: Path, kind: str) -> None:
    config = config_for(tmp_path, node, kind)
    home = config.courses[0].root
    first, mine, theirs = b"1\n2\n3\n4\n5\n", b"I\n2\n3\n4\n5\n", b"1\n2\n3\n4\nV\n"
    async with running(config):
        await node.publish({"lab/a.txt": first, "b.bin": b"\0\1", "c.txt": b"c"})
        await until(reads(home / "lab/a.txt", first))
        (home / "lab/a.txt").write_bytes(mine)
        (home / "b.bin").write_bytes(b"\0\2")
        (home / "new.txt").write_text("<b>new</b>")
        (home / "c.txt").unlink()
        await node.publish({"lab/a.txt": theirs, "b.bin": b"\0\1", "c.txt": b"c"})
        await until(reads(home / "lab/a.txt", b"I\n2\n3\n4\nV\n"))
        said = await ask(config, "changes", {"course": "ds8"})
        assert [(one["path"], one["what"]) for one in said["edited"]] == [
            ("b.bin", "edited"),
            ("c.txt", "deleted"),
            ("lab/a.txt", "edited"),
            ("new.txt", "added"),
        ]
        (kept,) = said["kept"]
        assert (kept["path"], kept["reason"]) == ("lab/a.txt", "merged with an update")

        async def texts(path: str, version: str = "") -> tuple[str | None, str | None, list[str]]:
            found = await ask(config, "compare", {"course": "ds8", "path": path, "version": version})
            return found["before"], found["now"], found["unread"]

        merged = "I\n2\n3\n4\nV\n"
        assert await texts("lab/a.txt", kept["version"]) == (mine.decode(), merged, [])
        assert await texts("lab/a.txt") == (theirs.decode(), merged, [])
        assert await texts("b.bin") == (None, None, ["before", "now"])
        assert await texts("new.txt") == (None, "<b>new</b>", [])
        assert await texts("c.txt") == ("c", None, [])
        assert await texts("../../etc/passwd") == (None, None, [])
        with pytest.raises(NeedsUser, match="no such earlier version"):
            await texts("lab/a.txt", "0" * 64)


async def test_a_paused_course_stays_as_it_is_until_it_goes_on(node: PlayedNode, tmp_path: Path, kind: str) -> None:
    config = config_for(tmp_path, node, kind)
    home = config.courses[0].root
    async with running(config):
        await node.publish({"a": b"1"})
        await until(reads(home / "a", b"1"))
        assert "Paused" in (await ask(config, "pause", {"course": "ds8"}))["sentence"]
        await node.publish({"a": b"2"})
        assert await ask(config, "update", {}) == {"sentence": ""}
        await until(lambda: node.reports[-1]["state"] == "paused")
        assert (home / "a").read_bytes() == b"1"
    async with running(config):  # it is remembered
        await until(lambda: node.reports[-1]["state"] == "paused")
        assert (home / "a").read_bytes() == b"1"
        await ask(config, "pause", {"course": "ds8", "paused": False})
        await until(reads(home / "a", b"2"))


def asked_as_nobody(folder: Path) -> bytes:
    """What another user is answered who got hold of the socket's folder all the same."""
    reading, writing = os.pipe()
    held = os.open(folder, os.O_PATH)
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            asking = socket.socket(socket.AF_UNIX)
            asking.connect(f"/proc/self/fd/{held}/agent.sock")
            asking.sendall(b"GET /v1/status HTTP/1.0\r\n\r\n")
            os.write(writing, asking.recv(1000))
        finally:
            os._exit(0)
    os.close(writing)
    os.close(held)
    with os.fdopen(reading, "rb") as said:
        answer = said.read()
    os.waitpid(child, 0)
    return answer


@pytest.mark.root
async def test_the_control_socket_answers_nobody_else(node: PlayedNode, tmp_path: Path) -> None:
    config = config_for(tmp_path, node)
    async with running(config):
        assert await asyncio.to_thread(asked_as_nobody, config.state) == b""
        config.state.chmod(0o711)
        (config.state / "agent.sock").chmod(0o666)
        assert (await asyncio.to_thread(asked_as_nobody, config.state)).startswith(b"HTTP/1.0 403")


async def test_a_node_that_goes_away_leaves_the_folder_and_comes_back(
    node: PlayedNode, tmp_path: Path, kind: str
) -> None:
    config = config_for(tmp_path, node, kind)
    home = config.courses[0].root
    async with running(config):
        await node.publish({"a": b"x"})
        await until(reads(home / "a", b"x"))
        await node.stop()
        async with asyncio.timeout(PATIENCE_S):
            while (view := (await ask(config, "status"))["views"][0])["state"] != "offline":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert view["sentence"].startswith("The node") and (home / "a").read_bytes() == b"x"
        await node.publish({"a": b"y"})
        await node.start()
        await until(reads(home / "a", b"y"))
        await until(lambda: node.reports[-1]["state"] == "up_to_date")


async def test_an_agent_started_again_goes_on_without_a_node(node: PlayedNode, tmp_path: Path, kind: str) -> None:
    config = config_for(tmp_path, node, kind)
    home = config.courses[0].root
    async with running(config):
        commit = await node.publish({"a": b"x", "b": b"b"})
        await until(lambda: any(report["commit"] == commit for report in node.reports))
        (home / "a").write_bytes(b"mine")
    await node.stop()
    async with running(config):
        view = (await ask(config, "status"))["views"][0]
        assert (view["commit"], view["kind"]) == (commit, kind)
        assert ((home / "a").read_bytes(), (home / "b").read_bytes()) == (b"mine", b"b")


async def test_a_second_agent_says_so_and_ends(node: PlayedNode, tmp_path: Path) -> None:
    config = config_for(tmp_path, node)
    async with running(config):
        with pytest.raises(Stop, match="Another agent"):
            await run_agent(config)
        other = AgentConfig(config.courses, tmp_path / "other", node.socket, view="plain")
        with pytest.raises(Stop, match="Another agent"):
            await run_agent(other)


async def test_an_unknown_course_is_said(node: PlayedNode, tmp_path: Path) -> None:
    courses = (FollowedCourse("nope", tmp_path / "home"),)
    async with running(AgentConfig(courses, tmp_path / "agent", node.socket, view="plain")):
        await until(lambda: bool(node.reports) and "no course" in node.reports[-1]["sentence"])


async def test_an_emptied_folder_is_left_alone_until_everything_is_restored(node: PlayedNode, tmp_path: Path) -> None:
    config = config_for(tmp_path, node)
    home = config.courses[0].root
    tree = {f"lab/{number}": b"%d" % number for number in range(12)}
    async with running(config):
        commit = await node.publish(tree)
        await until(lambda: any(report["commit"] == commit for report in node.reports))
        (home / "lab").rename(tmp_path / "unmounted")
        await node.publish(tree | {"new": b"n"})
        await until(lambda: node.reports[-1]["state"] == "needs_you")
        assert "12 files" in node.reports[-1]["sentence"] and list(home.iterdir()) == []
        await ask(config, "restore", {"course": "ds8", "path": ""})
        assert (home / "lab" / "3").read_bytes() == b"3" and (home / "new").read_bytes() == b"n"
        await until(lambda: node.reports[-1]["state"] == "up_to_date")


async def test_a_folder_that_vanished_is_said_and_taken_up_when_it_is_back(node: PlayedNode, tmp_path: Path) -> None:
    config = config_for(tmp_path, node)
    home = config.courses[0].root
    async with running(config):
        await node.publish({"a": b"x"})
        await until(reads(home / "a", b"x"))
        home.rename(tmp_path / "elsewhere")
        await node.publish({"a": b"y"})
        await until(lambda: node.reports[-1]["state"] == "needs_you")
        assert "not there" in node.reports[-1]["sentence"] and not home.exists()
        (tmp_path / "elsewhere").rename(home)
        await until(reads(home / "a", b"y"))


async def test_a_folder_keeps_its_kind(node: PlayedNode, tmp_path: Path) -> None:
    config = config_for(tmp_path, node, "plain")
    home = config.courses[0].root
    async with running(config):
        await node.publish({"a": b"x"})
        await until(reads(home / "a", b"x"))
    async with running(config_for(tmp_path, node, None)):  # type: ignore[arg-type]
        assert (await ask(config, "status"))["views"][0]["kind"] == "plain"
    async with running(config_for(tmp_path, node, "overlay")):
        view = (await ask(config, "status"))["views"][0]
        assert view["state"] == "needs_you" and "plain" in view["sentence"]


@pytest.mark.slow
@pytest.mark.fuse
@pytest.mark.root
async def test_a_mount_that_is_taken_away_is_made_anew(node: PlayedNode, tmp_path: Path) -> None:
    config = config_for(tmp_path, node, "overlay")
    home = config.courses[0].root
    async with running(config):
        await node.publish({"a": b"x", "b": b"b"})
        await until(reads(home / "a", b"x"))
        (home / "b").write_bytes(b"mine")
        gone = await asyncio.create_subprocess_exec("umount", "--lazy", str(home))
        assert await gone.wait() == 0 and not (home / "a").exists()
        await until(reads(home / "a", b"x"))
        assert (home / "b").read_bytes() == b"mine"
        await node.publish({"a": b"y", "b": b"b"})
        await until(reads(home / "a", b"y"))
    assert not os.path.ismount(home)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_ends_cleanly_when_told(
    node: PlayedNode, tmp_path: Path, kind: str, how: signal.Signals
) -> None:
    config = config_for(tmp_path, node, kind)
    home = config.courses[0].root
    async with process(config) as agent:
        await node.publish({"a": b"x"})
        await until(reads(home / "a", b"x"))
        agent.send_signal(how)
        assert await agent.wait() == 0
    assert not (config.state / "agent.sock").exists() and not os.path.ismount(home)


@pytest.mark.slow
async def test_a_killed_process_is_followed_by_another(node: PlayedNode, tmp_path: Path, kind: str) -> None:
    config = config_for(tmp_path, node, kind)
    home = config.courses[0].root
    async with process(config) as agent:
        commit = await node.publish({"a": b"x", "b": b"b"})
        await until(lambda: any(report["commit"] == commit for report in node.reports))
        (home / "b").write_bytes(b"mine")
        agent.kill()
        await agent.wait()
    await node.publish({"a": b"y", "b": b"b"})
    async with process(config):
        await until(reads(home / "a", b"y"))
        assert (home / "b").read_bytes() == b"mine"


PROGRAM = """
import asyncio, pickle, sys
from syncd.agent.service import run_agent
config = pickle.loads(bytes.fromhex(sys.argv[1]))
asyncio.run(run_agent(config, ready=lambda facts: print("ready", flush=True)))
"""


@asynccontextmanager
async def process(config: AgentConfig) -> AsyncIterator[asyncio.subprocess.Process]:
    import pickle

    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, pickle.dumps(config).hex(), stdout=asyncio.subprocess.PIPE
    )
    assert agent.stdout is not None
    assert await asyncio.wait_for(agent.stdout.readline(), PATIENCE_S) == b"ready\n"
    try:
        yield agent
    finally:
        if agent.returncode is None:
            agent.send_signal(signal.SIGTERM)
        await agent.wait()
