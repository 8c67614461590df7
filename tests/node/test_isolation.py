"""A node with students who are not kind: each gets what they are a member of, and nobody can stall it."""

import asyncio
import contextlib
import itertools
import json
import os
import resource
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from courses import READ, Instructor, node, secret_file

from syncd.demo.gitserver import GitServer
from syncd.node.config import Course, NodeConfig
from syncd.node.doors import listen_at
from syncd.node.guard import Limits
from syncd.node.members import Members, parse_members
from syncd.node.views import Peer

PEER = Path(__file__).with_name("peer.py")
ADA, BEN = 60_001, 60_002


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not one of pytest's: each other run of pytest closes their top folder to students again."""
    with tempfile.TemporaryDirectory(prefix="isolation") as folder:
        yield Path(folder)


def reachable(folder: Path) -> None:
    for one in (folder, *folder.parents):
        if os.stat(one).st_uid == os.geteuid() and one != Path("/"):
            one.chmod(one.stat().st_mode | 0o711)


async def peer(uid: int, *arguments: str | Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PEER), str(uid), *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )


async def said_by(uid: int, *arguments: str | Path) -> Any:
    process = await peer(uid, *arguments)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return json.loads(out.splitlines()[-1])


async def two_courses(tmp_path: Path, server: GitServer) -> NodeConfig:
    for name, files in (("mine", {"a": b"of mine", "b": b"of both"}), ("other", {"a": b"of other", "b": b"of both"})):
        await Instructor(tmp_path / f"{name}.git", server.create(name)).push(files)
    token = secret_file(tmp_path / "token", READ)
    (tmp_path / "members").write_text(f"{BEN}  # no name, so the number\n")
    courses = (
        Course("mine", server.url("mine"), "main", token, members=(str(ADA),)),
        Course("other", server.url("other"), "main", token, members_file=tmp_path / "members"),
    )
    reachable(tmp_path)
    return NodeConfig(tmp_path / "store", courses)


@pytest.mark.root
@pytest.mark.slow
async def test_student_reads_the_courses_of_their_own_and_nothing_else(tmp_path: Path, server: GitServer) -> None:
    config = await two_courses(tmp_path, server)
    async with node(config) as running:
        for name in ("mine", "other"):
            await asyncio.wait_for(anext(running.client.follow(name)), 20)
        found = await said_by(ADA, "reads", running.client.socket, "mine", "other", "none")
        closed = ["../mirror.git/HEAD", "../ready.json", "../../other/content/blobs", "../../../blobs"]
        closed += ["blobs/new", "manifests/new", "courses", "blobs", "incoming"]
        assert found == {
            "mine": ["of both", "of mine"],
            "other": "-",
            "none": "-",
            "follow": ["404", "404"],
            "status": ["mine"],
            **dict.fromkeys(closed, "closed"),
        }
        assert (await said_by(BEN, "reads", running.client.socket, "other", "mine"))["other"] == ["of both", "of other"]
        (tmp_path / "members").write_text(f"{ADA}\n")  # the list is read again as soon as it changes
        assert (await said_by(ADA, "reads", running.client.socket, "other"))["other"] == ["of both", "of other"]


@pytest.mark.root
@pytest.mark.slow
async def test_flood_by_one_student_stalls_no_other_and_is_bounded(tmp_path: Path, server: GitServer) -> None:
    config = await two_courses(tmp_path, server)
    async with node(config) as running:
        await asyncio.wait_for(anext(running.client.follow("other")), 20)
        before = len(os.listdir("/proc/self/fd"))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        flooding = await peer(ADA, "flood", running.client.socket, "5")
        assert flooding.stdout is not None
        await flooding.stdout.readline()
        for _ in range(3):
            # Twenty times the patience that a test needs: what is shown is that it is answered at all.
            found = await said_by(BEN, "reads", running.client.socket, "other", "mine")
            assert found["other"] == ["of both", "of other"]
        assert len(os.listdir("/proc/self/fd")) - before < 120
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 100 << 10, "kB"
        await asyncio.wait_for(flooding.communicate(), 30)
        async with asyncio.timeout(10):
            while len(os.listdir("/proc/self/fd")) > before + 2:  # noqa: ASYNC110  (the service is in this process)
                await asyncio.sleep(0.05)


def test_socket_is_replaced_without_a_moment_at_which_it_refuses_anybody(tmp_path: Path) -> None:
    path, refused, ended = tmp_path / "doors.sock", list[str](), threading.Event()
    with contextlib.ExitStack() as stack:
        stack.enter_context(listen_at(path))

        def ask_on() -> None:
            while not ended.is_set():
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
                    asking.setblocking(False)  # a full queue is no refusal
                    try:
                        asking.connect(str(path))
                    except BlockingIOError:
                        continue
                    except OSError as error:
                        refused.append(str(error))
                    if path.stat().st_mode & 0o777 != 0o666:
                        refused.append("closed")

        asker = threading.Thread(target=ask_on)
        asker.start()
        try:
            for _ in range(300):
                stack.enter_context(listen_at(path))
        finally:
            ended.set()
            asker.join()
    assert not refused


def test_members_are_users_and_groups_and_a_list_that_cannot_be_trusted_has_none(tmp_path: Path) -> None:
    listed = tmp_path / "members"
    listed.write_text("# staff\nada\n\n@root  # whoever is in it\n")
    assert parse_members(listed.read_text()) == ["ada", "@root"]
    members = Members(own_uid=990)
    by_list = Course("c", "https://example.org/c.git", members_file=listed)
    ada, ben, root_group = Peer(1, "ada"), Peer(2, "ben"), Peer(3, "root")
    assert [members.has(by_list, one) for one in (ada, ben, root_group)] == [True, False, True]
    assert members.has(by_list, Peer(990, "syncd"))
    assert members.has(Course("c", "https://example.org/c.git"), ben), "without a list everybody"
    assert not members.has(Course("c", "https://example.org/c.git", members=()), ben), "an empty list is nobody"
    listed.chmod(0o666)
    listed.write_text("ada\nben\n")
    assert not members.has(by_list, ada)
    listed.unlink()
    assert not members.has(by_list, ada)


def test_fast_asker_waits_then_is_refused_and_recovers_while_others_are_not_touched() -> None:
    now = 0.0
    limits = Limits(own_uid=990, clock=lambda: now)
    ada, ben = Peer(1, "ada"), Peer(2, "ben")
    waits = [limits.wait_s(ada) for _ in range(5000)]
    assert waits[:200] == [0.0] * 200
    assert all(a is None or b is None or a <= b for a, b in itertools.pairwise(waits))
    assert waits[-1] is None
    assert limits.wait_s(ben) == 0.0
    assert all(limits.wait_s(Peer(990, "syncd")) == 0.0 for _ in range(5000))
    now = 60.0
    assert limits.wait_s(ada) == 0.0
