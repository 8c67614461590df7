"""A class on one node: agents on demand, as their students, through crashes and restarts of everything around them."""

import contextlib
import json
import os
import re
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from arrived_class import ADA, BEN, CY, FIRST, Class, push, told
from class_node import ClassNode, until

from syncd.agent.ask_parent import ask_parent
from syncd.agent.become import student
from syncd.agent.equal_pages import KSM
from syncd.agent.records import Record, Records, began, opened
from syncd.core.errors import NeedsUser

pytestmark = [pytest.mark.root, pytest.mark.fuse, pytest.mark.slow]


@contextlib.contextmanager
def reading(node: ClassNode, name: str) -> Iterator[None]:
    """A program of the student's has a file open meanwhile, and reads on in it afterwards."""
    opened_at, go = node.home(name) / "opened", node.home(name) / "go"
    reader = (
        f"import os, time\nfile = open({str(node.home(name) / 'ds8/big.bin')!r})\nassert len(file.read(1000)) == 1000\n"
        f"open({str(opened_at)!r}, 'w').close()\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        "print(len(file.read()))"
    )
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(node.run_as(name, reader)))
    thread.start()
    until(opened_at.exists)
    try:
        yield
    finally:
        go.touch()
        thread.join(60)
        opened_at.unlink()
        go.unlink()
    assert said == ["399000\n"]


async def test_students_arrive_edit_are_updated_and_see_only_their_courses(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        found = hub.ask("ensure", ADA)
        folder = str(node.home(ADA) / "ds8")
        assert found["folders"] == [{"course": "ds8", "folder": folder, "state": "ready"}]
        assert {one["course"] for one in hub.ask("ensure", BEN)["folders"]} == {"ds8", "stat"}
        with pytest.raises(NeedsUser, match="member of no course"):
            hub.ask("ensure", CY)
        for nobody in ("root", "nobody-at-all"):
            with pytest.raises(NeedsUser):
                hub.ask("ensure", nobody)
        assert node.read(ADA, "ds8/lab/a.txt") == "one\n"
        assert node.read(BEN, "stat/big.bin") == "x" * 400_000
        node.run_as(ADA, f"open({folder + '/lab/mine.txt'!r}, 'w').write('mine')")
        push(hub, {**FIRST, "lab/a.txt": "two\n"})
        for name in (ADA, BEN):
            until(lambda name=name: node.read(name, "ds8/lab/a.txt") == "two\n")  # type: ignore[misc]
        assert node.read(ADA, "ds8/lab/mine.txt") == "mine"
        upper = node.home(ADA) / ".local/state/synced-folders/agent/courses/ds8/view/upper/lab/mine.txt"
        assert (upper.stat().st_uid, upper.read_text()) == (node.uid(ADA), "mine")
        assert hub.ask("end", ADA)["ended"]
        until(lambda: folder not in node.mounts() and not os.path.exists(folder))
        hub.ask("ensure", ADA)
        assert node.read(ADA, "ds8/lab/mine.txt") == "mine"

    await told(arrived, story)


async def test_agent_holds_nothing_that_its_student_may_not_have(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        hub.ask("ensure", ADA)
        hub.ask("ensure", BEN)
        pid, uid = hub.pid(ADA), node.uid(ADA)
        facts = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
        )
        assert facts["Uid"].split() == facts["Gid"].split() == [str(uid)] * 4
        assert facts["Groups"].split() == [str(uid)]
        assert {int(facts[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
        assert facts["NoNewPrivs"] == "1"
        held = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        inside = str(node.root)
        strange = {one for one in held if one.startswith(inside) and not one.startswith(str(node.home(ADA)))}
        content = f"{inside}/store/courses/ds8/content"
        assert {one for one in strange if not one.startswith(content)} == {f"{inside}/logs/parent.log"}
        # Its memory began as a copy of root's: even its own student can't look into it.
        closed = node.run_as(
            ADA,
            f"import os\nfor what in ('mem', 'environ', 'fd'):\n"
            f" try:\n  os.listdir('/proc/{pid}/fd') if what == 'fd' else open('/proc/{pid}/' + what, 'rb').read(1)\n"
            f"  print('open', what)\n except OSError:\n  pass",
        )
        assert closed == ""
        for other in (BEN, CY):
            for path in (node.home(ADA) / "ds8/lab/a.txt", node.root / "store/courses/ds8/content"):
                code = f"import os\ntry:\n os.stat({str(path)!r}); print('open')\nexcept OSError:\n pass"
                assert node.run_as(other, code) == ""

    await told(arrived, story)


async def test_killed_agent_is_started_again_and_open_files_go_on(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        hub.ask("ensure", ADA)
        before = hub.pid(ADA)
        with reading(node, ADA):
            os.kill(before, signal.SIGKILL)
            assert node.read(ADA, "ds8/lab/a.txt") == "one\n"
            until(lambda: hub.pid(ADA) not in (0, before))
        push(hub, {**FIRST, "lab/a.txt": "two\n"})
        until(lambda: node.read(ADA, "ds8/lab/a.txt") == "two\n")

    await told(arrived, story)


async def test_node_broker_and_parent_are_restarted_and_nobody_notices(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        hub.ask("ensure", ADA)
        pid = hub.pid(ADA)
        for name, number in (("parent", signal.SIGKILL), ("node", signal.SIGKILL), ("broker", signal.SIGTERM)):
            node.stop(name, number)
        assert node.read(ADA, "ds8/lab/a.txt") == "one\n"
        node.start_parent()
        assert hub.pid(ADA) == pid
        assert hub.ask("ensure", ADA)["folders"][0]["state"] == "ready"
        node.start("broker", "fuse_mount.broker", node.broker)
        with reading(node, ADA):
            os.kill(pid, signal.SIGKILL)
            until(lambda: hub.pid(ADA) not in (0, pid))
            assert node.read(ADA, "ds8/lab/a.txt") == "one\n"
        node.stop("broker")
        # Without the node's service a student who comes back sees the folder as it was; and what could not be
        # unmounted, as there was no broker, is put right then.
        hub.ask("end", ADA)
        until(lambda: not hub.ask("list")["agents"])
        node.start("broker", "fuse_mount.broker", node.broker)
        hub.ask("ensure", ADA)
        assert node.read(ADA, "ds8/lab/a.txt") == "one\n"
        node.start("node", "syncd", "node", "--config", node.root / "node.toml")
        push(hub, {**FIRST, "lab/a.txt": "two\n"})
        until(lambda: node.read(ADA, "ds8/lab/a.txt") == "two\n")
        # An agent that dies while nobody watches is started again by the next parent, with a new mount.
        node.stop("parent", signal.SIGKILL)
        os.kill(hub_pid := _agent_of(node, ADA), signal.SIGKILL)
        node.start_parent()
        until(lambda: hub.pid(ADA) not in (0, hub_pid))
        hub.ask("ensure", ADA)
        assert node.read(ADA, "ds8/lab/a.txt") == "two\n"

    await told(arrived, story)


async def test_agent_that_could_not_be_started_is_started_as_soon_as_it_can_be(arrived: Class) -> None:
    def story(hub: Class) -> None:
        parent = hub.node.processes["parent"].pid
        limits = resource.prlimit(parent, resource.RLIMIT_NOFILE)
        hub.ask("list")
        held = {int(fd) for fd in os.listdir(f"/proc/{parent}/fd")}
        free = [fd for fd in range(len(held) + 3) if fd not in held]
        # One descriptor for who asks, one to look the student up, and none for a new agent.
        resource.prlimit(parent, resource.RLIMIT_NOFILE, (free[1] + 1, limits[1]))
        (folder,) = ask_parent(hub.node.agents, {"do": "ensure", "user": ADA})["folders"]
        assert folder["state"] == "starting"
        until(lambda: "the agent of ada can't be started just now" in hub.node.log("parent"))
        resource.prlimit(parent, resource.RLIMIT_NOFILE, limits)
        assert hub.ask("ensure", ADA)["folders"][0]["state"] == "ready"
        assert hub.node.processes["parent"].poll() is None

    await told(arrived, story)


async def test_process_that_agents_are_forked_from_may_be_killed(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node, parent = hub.node, hub.node.processes["parent"].pid
        hub.ask("ensure", ADA)
        pid = hub.pid(ADA)
        for number in children(parent):
            os.kill(number, signal.SIGKILL)
        assert hub.ask("ensure", BEN)["folders"][0]["state"] == "ready"
        assert node.read(BEN, "ds8/lab/a.txt") == node.read(ADA, "ds8/lab/a.txt") == "one\n"
        assert (hub.pid(ADA), len(children(parent))) == (pid, 1)
        # And it ends with its parent, however that ends.
        (number,) = children(parent)
        node.stop("parent", signal.SIGKILL)
        until(lambda: not Path(f"/proc/{number}").exists())
        assert node.read(ADA, "ds8/lab/a.txt") == "one\n"

    await told(arrived, story)


async def test_only_memory_from_before_the_fork_is_offered_to_the_kernel_for_merging(arrived: Class) -> None:
    def story(hub: Class) -> None:
        if not KSM.exists():
            hub.node.stop("parent")
            with pytest.raises(AssertionError, match="cannot merge equal memory"):
                hub.node.start_parent(600.0, 0.0, "--merge-memory")
            return
        hub.ask("ensure", ADA)
        assert offered(hub.pid(ADA)) == set()
        hub.node.stop("parent")
        hub.node.start_parent(600.0, 0.0, "--merge-memory")
        hub.ask("ensure", BEN)
        mine = offered(hub.pid(BEN))
        assert "[heap]" in mine and mine <= offered(hub.node.processes["parent"].pid)

    await told(arrived, story)


async def test_homes_that_are_shared_by_now_are_leased_by_the_next_agent(arrived: Class) -> None:
    def story(hub: Class) -> None:
        settings, leases = hub.node.root / "node.toml", ".local/state/synced-folders/agent/lease.*"
        hub.ask("ensure", ADA)
        assert not list(hub.node.home(ADA).glob(leases))
        settings.write_text("shared_homes = true\n" + settings.read_text())
        hub.ask("ensure", BEN)
        assert len(list(hub.node.home(BEN).glob(leases))) == 1

    await told(arrived, story)


async def test_agent_ends_once_its_student_is_gone(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        node.stop("parent")
        node.start_parent(idle_s=0.1)
        hub.ask("ensure", ADA)
        until(lambda: not hub.ask("list")["agents"])
        until(lambda: node.mounts() == [])

    await told(arrived, story)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def offered(pid: int) -> set[str]:
    """Where memory that the kernel may merge begins, or what it is called."""
    found, where = set(), ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            where = line.split()[5] if len(line.split()) > 5 else line.partition("-")[0]
        elif line.startswith("VmFlags:") and "mg" in line.split():
            found.add(where)
    return found


def _agent_of(node: ClassNode, name: str) -> int:
    record = json.loads((node.root / "records" / f"{node.uid(name)}.json").read_text())
    return int(record["pid"])


def test_a_record_is_one_process_for_ever(tmp_path: Path) -> None:
    records = Records(tmp_path / "records")
    now = began(os.getpid())
    assert now is not None
    records.keep(7, Record("ada", os.getpid(), now))
    (tmp_path / "records" / "8.json").write_text('{"user": ')
    assert list(records.all()) == [(7, Record("ada", os.getpid(), now))]
    pidfd = opened(Record("ada", os.getpid(), now))
    assert pidfd is not None
    os.close(pidfd)
    assert opened(Record("ada", os.getpid(), now + 1)) is None
    records.drop(7)
    assert list(records.all()) == []
    with pytest.raises(NeedsUser, match="root"):
        student("root")


async def test_who_comes_back_while_the_agent_ends_is_told_of_the_next_one(arrived: Class) -> None:
    def story(hub: Class) -> None:
        for _ in range(5):
            hub.ask("ensure", ADA)
            before = hub.pid(ADA)
            hub.ask("end", ADA)
            found = hub.ask("ensure", ADA)
            assert found["pid"] not in (0, before) and found["folders"][0]["state"] == "ready"
            assert hub.node.read(ADA, "ds8/lab/a.txt") == "one\n"

    await told(arrived, story)
