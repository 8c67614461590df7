"""Courses that the hub adds to a running node: kept over a restart, for those only who followed the link."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest

from syncd.core.errors import NeedsUser, TryAgain
from syncd.demo.gitserver import GitServer
from syncd.node import added
from syncd.node.added import add, of_member, stamp, with_added
from syncd.node.config import Course, NodeConfig
from syncd.node.members import Members
from syncd.node.service import run_node
from syncd.node.views import Peer

REMOTE = "https://git.example/o/extra"


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    return NodeConfig(tmp_path, (Course("ds8", "https://git.example/o/ds8", "main"),))


def test_what_was_added_stands_beside_the_settings_and_is_its_members_alone(config: NodeConfig) -> None:
    before = stamp(config.store)
    assert add(config, "extra", REMOTE, None, "ada")
    assert stamp(config.store) != before
    assert not add(config, "extra", f"{REMOTE}.git", None, "ada")  # the same, as another link spells it
    assert not add(config, "extra", REMOTE, None, "ben")
    found = with_added(config)
    assert [course.name for course in found.courses] == ["ds8", "extra"]
    members = Members(own_uid=65_533)
    has = {name: members.has(found.courses[1], Peer(60_000, name)) for name in ("ada", "ben", "eve")}
    assert has == {"ada": True, "ben": True, "eve": False}
    assert [course.name for course in of_member(config.store, "ben")] == ["extra"]
    assert of_member(config.store, "eve") == []


def test_a_name_of_the_settings_stays_theirs(config: NodeConfig) -> None:
    with pytest.raises(NeedsUser, match="another course named ds8"):
        add(config, "ds8", REMOTE, None, "ada")
    assert not add(config, "ds8", "https://git.example/o/ds8", "main", "ada")
    assert of_member(config.store, "ada") == []  # who is a member of it is not said by a link
    add(config, "extra", REMOTE, None, "ada")
    with pytest.raises(NeedsUser, match="another course named extra"):
        add(config, "extra", REMOTE, "other", "ada")
    taken = NodeConfig(config.store, (Course("extra", "https://git.example/o/mine"),))
    assert [course.remote for course in with_added(taken).courses] == ["https://git.example/o/mine"]


@pytest.mark.parametrize(
    ("name", "remote", "branch", "member"),
    [
        ("../x", REMOTE, None, "ada"),
        ("x", "/srv/git/x.git", None, "ada"),
        ("x", "file:///srv/git/x.git", None, "ada"),
        ("x", "git@git.example:o/x", None, "ada"),
        ("x", "ext::sh -c id", None, "ada"),
        ("x", "--upload-pack=id", None, "ada"),
        ("x", REMOTE, "-x", "ada"),
        ("x", REMOTE, None, "ada\nroot"),
        ("x", REMOTE, None, "@staff"),
        ("x", REMOTE, None, ""),
    ],
)
def test_what_can_not_be_added_changes_nothing(
    config: NodeConfig, name: str, remote: str, branch: str | None, member: str
) -> None:
    with pytest.raises(NeedsUser):
        add(config, name, remote, branch, member)
    assert stamp(config.store) == 0


def test_there_is_an_end_to_it(config: NodeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(added, "MOST", 3)
    add(config, "a", REMOTE, None, "ada")
    add(config, "b", REMOTE, None, "ada")
    with pytest.raises(TryAgain, match="follows 3 courses"):
        add(config, "c", REMOTE, None, "ada")
    assert not add(config, "b", REMOTE, None, "ben")
    monkeypatch.setattr(added, "MOST_OF_ONE", 1)
    monkeypatch.setattr(added, "MOST", 10)
    with pytest.raises(TryAgain, match="enough for one"):
        add(config, "c", REMOTE, None, "ben")


def test_a_record_spoiled_by_hand_does_not_keep_the_node_from_starting(config: NodeConfig) -> None:
    add(config, "extra", REMOTE, None, "ada")
    for number, spoiled in enumerate(("{", "[]", json.dumps({"remote": "ext::x", "branch": None}))):
        (config.store / f"added/bad{number}.json").write_text(spoiled)
    assert [course.name for course in with_added(config).courses] == ["ds8", "extra"]


async def test_class_that_follows_a_link_at_once_is_let_in_whole_while_settings_change(
    tmp_path: Path, server: GitServer
) -> None:
    old = tuple(Course(f"old{number}", server.url("course"), "main") for number in range(3))
    config = NodeConfig(tmp_path / "store", old, poll_seconds=60)
    ready: asyncio.Future[Mapping[str, object]] = asyncio.get_running_loop().create_future()
    changes: asyncio.Queue[NodeConfig] = asyncio.Queue()
    serving = asyncio.create_task(run_node(config, ready=ready.set_result, changes=changes))
    connector = aiohttp.UnixConnector(path=str((await ready)["socket"]), limit=0)
    people = [f"student{number}" for number in range(24)]
    try:
        async with aiohttp.ClientSession(connector=connector) as session:

            async def follow_link(number: int, member: str) -> int:
                said = {"name": f"extra{number % 3}", "remote": server.url("course"), "branch": "main"}
                async with session.post("http://node/v1/added", json={**said, "member": member}) as answer:
                    return answer.status

            changes.put_nowait(NodeConfig(config.store, (), poll_seconds=60))
            found = await asyncio.gather(*map(follow_link, itertools.count(), people))
            assert Counter(found) == {201: 3, 200: len(people) - 3}
            async with session.get("http://node/v1/status") as answer:
                assert {each["name"] for each in (await answer.json())["courses"]} == {"extra0", "extra1", "extra2"}
        assert [person for person in people if len(of_member(config.store, person)) != 1] == []
        assert not serving.done()
    finally:
        serving.cancel()
        await asyncio.wait({serving})
