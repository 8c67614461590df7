"""What agents report, and who gets to see it: by the kernel's word for who asks."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from courses import Instructor, node, settings

from syncd.core.errors import NeedsUser
from syncd.demo.gitserver import GitServer
from syncd.node.config import Course, NodeConfig, load_config
from syncd.node.pace import wait_s
from syncd.node.views import Peer, Views

REPORT = {
    "user": "ada",
    "course": "c",
    "kind": "overlay",
    "root": "/home/ada/c",
    "commit": "1" * 40,
    "waiting": ["lab.ipynb"],
    "state": "waiting",
    "sentence": "An update waits until you close lab.ipynb.",
    "notes": [],
}
OWN, ADA, BEN = 990, Peer(1001, "ada"), Peer(1002, "ben")


def views() -> Views:
    return Views(OWN)


def test_report_is_kept_with_its_time_and_replaces_the_one_before() -> None:
    kept = views()
    kept.report(ADA, REPORT)
    kept.report(ADA, {**REPORT, "state": "up_to_date", "unknown": "x"})
    (view,) = kept.seen_by(ADA, ())
    assert view.pop("updated_at") > 1_700_000_000
    assert view == {**REPORT, "state": "up_to_date"}


def test_student_speaks_for_nobody_else_and_sees_nobody_else() -> None:
    kept = views()
    kept.report(ADA, REPORT)
    kept.report(BEN, {**REPORT, "state": "forged"})
    assert [view["user"] for view in kept.seen_by(BEN, ())] == ["ben"]
    assert [view["state"] for view in kept.seen_by(ADA, ())] == ["waiting"]
    for reader in (Peer(0, "root"), Peer(OWN, "syncd"), Peer(5, "jupyterhub")):
        assert {view["user"] for view in kept.seen_by(reader, {"jupyterhub"})} == {"ada", "ben"}
    assert kept.seen_by(Peer(5, "jupyterhub"), ()) == []


def test_trusted_peer_may_speak_for_several() -> None:
    kept = views()
    for user in ("ada", "ben", ""):
        kept.report(Peer(OWN, "syncd"), {**REPORT, "user": user})
    assert [view["user"] for view in kept.seen_by(Peer(0, "root"), ())] == ["ada", "ben", "syncd"]


@pytest.mark.parametrize("said", [None, [], "x", {"state": 5}, {"waiting": "x"}, {"notes": [1]}, {"user": {}}])
def test_report_of_another_shape_is_refused(said: object) -> None:
    with pytest.raises(NeedsUser):
        views().report(ADA, said)


def test_one_peer_cannot_fill_the_memory() -> None:
    kept = views()
    for number in range(64):
        kept.report(ADA, {**REPORT, "course": f"c{number}"})
    with pytest.raises(NeedsUser, match="64"):
        kept.report(ADA, {**REPORT, "course": "one more"})
    kept.report(ADA, {**REPORT, "course": "c5", "notes": ["x" * 10_000] * 1_000})
    assert sum(len(note) for view in kept.seen_by(ADA, ()) for note in view["notes"]) < 1_000_000
    kept.report(BEN, REPORT)


async def test_reports_go_over_the_socket(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    await instructor.push({"a": b"1"})
    async with node(settings(tmp_path, server.url("course"))) as running:
        await running.client.report(REPORT)
        (view,) = (await running.client.status())["views"]
        assert view["user"] == "ada" and view["waiting"] == ["lab.ipynb"]
        with pytest.raises(NeedsUser, match="text belongs"):
            await running.client.report({"state": 5})
        with pytest.raises(NeedsUser):
            await running.client.report({"notes": ["x" * 1_000] * 1_000})


_AS_SOMEBODY = """
import asyncio, json, os, sys
from pathlib import Path
from syncd.node.client import NodeClient
async def run():
    async with NodeClient(Path(sys.argv[1])) as client:
        await client.report(json.loads(sys.argv[2]))
        ready = await anext(client.follow("c"))
        snapshot = ready.snapshot()
        files = {path: snapshot.blobs.read(record.blob).decode() for path, record in snapshot.manifest.files()}
        print(json.dumps([await client.status(), files]))
os.setgroups([]); os.setgid(12345); os.setuid(12345)
asyncio.run(run())
"""


@pytest.mark.slow
@pytest.mark.root
async def test_kernel_says_who_reports(server: GitServer, instructor: Instructor, tmp_path: Path) -> None:
    await instructor.push({"a": b"1"})
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    async with node(settings(tmp_path, server.url("course"))) as running:
        await running.client.report(REPORT)
        pipe = asyncio.subprocess.PIPE
        student = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _AS_SOMEBODY, running.client.socket, json.dumps(REPORT)), stdout=pipe
        )
        said, _ = await student.communicate()
        seen: tuple[dict[str, Any], dict[str, str]] = json.loads(said)
        assert [view["user"] for view in seen[0]["views"]] == ["12345"]
        assert seen[1] == {"a": "1"}
        assert {view["user"] for view in (await running.client.status())["views"]} == {"ada", "12345"}
        assert os.stat(running.client.socket).st_mode & 0o777 == 0o666


async def test_silent_course_sends_heartbeats(
    tmp_path: Path, server: GitServer, instructor: Instructor, monkeypatch: pytest.MonkeyPatch
) -> None:
    import aiohttp

    monkeypatch.setattr("syncd.node.service.HEARTBEAT_S", 0.02)
    await instructor.push({"a": b"1"})
    async with node(settings(tmp_path, server.url("course"))) as running:
        connector = aiohttp.UnixConnector(path=str(running.client.socket))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get("http://node/v1/courses/c/follow") as answer,
        ):
            lines = [json.loads(await answer.content.readline()) for _ in range(8)]
        assert next(line for line in lines if line).keys() == {"commit", "manifest", "blobs", "ready_at"}
        assert sum(1 for line in lines if line) == 1


def test_settings_are_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(
        'store = "store"\npoll_seconds = 5\nwebhook = "127.0.0.1:8085"\nstatus_users = ["jupyterhub"]\n'
        '[[course]]\nname = "ds8"\nremote = "https://example.org/ds8"\ntoken_file = "/etc/token"\n'
    )
    course = Course("ds8", "https://example.org/ds8", None, Path("/etc/token"))
    assert load_config(path) == NodeConfig(
        tmp_path / "store", (course,), 5, "127.0.0.1:8085", frozenset(["jupyterhub"])
    )


@pytest.mark.parametrize(
    "text",
    [
        "store = ",
        "",
        'store = "x"\nwords = 1',
        'store = "x"\n[[course]]\nname = "c"',
        'store = "x"\n[[course]]\nname = "../c"\nremote = "https://x/y"',
        'store = "x"\n[[course]]\nname = "c"\nremote = "https://token@x/y"',
        'store = "x"\n[[course]]\nname = "c"\nremote = "https://x/y"\nbranch = "-x"',
        'store = "x"\n[[course]]\nname = "c"\nremote = "https://x/y"\n[[course]]\nname = "c"\nremote = "https://x/z"',
        'store = "x"\npoll_seconds = 0',
        'store = "x"\nwebhook = "8085"',
    ],
)
def test_wrong_settings_get_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "node.toml").write_text(text)
    with pytest.raises(NeedsUser):
        load_config(tmp_path / "node.toml")


def test_waits_grow_with_failures_and_never_under_the_servers_wish() -> None:
    def wait(failures: int, **more: Any) -> float:
        return wait_s(30, failures, chance=lambda: 1.0 if failures else 0.5, **more)

    assert [wait(n) for n in range(7)] == [30, 1, 2, 4, 8, 16, 32]
    assert wait(50) == 300
    assert [wait(n, passing=False) for n in (1, 2, 5)] == [30, 60, 300]
    assert wait(1, wish_s=120) == 120
    assert [wait(0, unseen=n) for n in range(5)] == [0.5, 1, 2, 4, 30]
    assert wait_s(0.1, 1, chance=lambda: 1.0) == 0.1
