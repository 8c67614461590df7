"""`syncd doctor --node`: each thing that can be wrong with a node is found, said, and mended where that is safe."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from courses import READ, Instructor, as_git_shows, node, off_loop, settings, shown

from syncd.cli.node_doctor import node_here
from syncd.core.errors import NeedsUser
from syncd.demo.gitserver import GitServer
from syncd.doctor.finding import Finding, Level, examined
from syncd.doctor.suite import NODE
from syncd.node.config import NodeConfig, load_config
from syncd.node.store import Store

pytestmark = pytest.mark.slow
Found = dict[str, list[Finding]]


class Node:
    """A stopped node of one course that was ready."""

    def __init__(self, place: Path, config: NodeConfig) -> None:
        self.place, self.config, self.store = place, config, Store(config.store)
        self.toml = place / "node.toml"
        self.course = config.store / "courses/c"
        self.toml.write_text(
            f'store = "store"\n[[course]]\nname = "c"\nremote = "{config.courses[0].remote}"\nbranch = "main"\n'
            'token_file = "token"\nwebhook_secret_file = "secret"\nmembers_file = "members"\n'
        )
        (place / "members").write_text("ada\n@staff\n")

    async def examined(self, *, deep: bool = False, mend: bool = False, store: Path | None = None) -> Found:
        """The findings that are problems, warnings or mended, by check; none about the machine of the tests."""

        def look() -> list[Finding]:
            return list(examined(NODE, node_here(self.toml, store, deep), mend=mend))

        out: Found = {}
        for each in await off_loop(look):
            assert "\n" not in each.sentence and READ not in each.sentence
            told = each.level in (Level.PROBLEM, Level.WARNING) or each.mended
            if told and each.check not in ("fuse", "units", "watching"):
                out.setdefault(each.check, []).append(each)
        return out

    @property
    def blobs(self) -> list[Path]:
        return sorted((self.course / "content/blobs").glob("*/*"))


@pytest.fixture
async def stopped(tmp_path: Path, server: GitServer, instructor: Instructor) -> AsyncIterator[Node]:
    config = settings(tmp_path, server.url("course"))
    commit = await instructor.push({"a": b"content a", "b": b"content b"})
    async with node(config) as running:
        await running.until(commit)
        await running.client.report({"user": "ada", "course": "c", "commit": commit, "waiting": []})
        await running.client.collect()  # writes the pins
    yield Node(tmp_path, config)


async def test_running_node_is_well(stopped: Node) -> None:
    async with node(stopped.config) as running:
        await running.until_state("up_to_date")
        assert await stopped.examined(deep=True) == {}
        argv = [sys.executable, "-m", "syncd", "doctor", "--node", "--config", str(stopped.toml)]
        done = await off_loop(subprocess.run, [*argv, "--json"], capture_output=True, text=True, check=False)
        told = json.loads(done.stdout)["findings"]
        assert done.returncode == 3 * any(each["level"] == "problem" for each in told)
        said = " ".join(each["sentence"] for each in told)
    for words in (
        "The service answers",
        "c: Up to date.",
        "shows its branch main",
        "every content is there in its size (2 files)",
        "c has a list of 2 members",
        "Every version that one of 1 folders stands on is there",
    ):
        assert words in said


async def test_stopped_node_is_the_only_problem(stopped: Node) -> None:
    found = await stopped.examined()
    assert list(found) == ["service"]
    assert found["service"][0].sentence == "The node's service does not run: systemctl start syncd-node"


def write(content: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.chmod(0o644)
        path.write_bytes(content)

    return damage


def made(content: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(content)

    return damage


def open_to_all(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o006)


DAMAGE: dict[str, tuple[Callable[[Node], Path], Callable[[Path], None], str, str]] = {
    # what is damaged, how -> the check that tells, and some of its words; --fix mends each
    "token": (lambda at: at.place / "token", open_to_all, "secrets", "Everybody on this machine can read"),
    "members": (lambda at: at.place / "members", open_to_all, "members", "so c has no members: chmod o-w"),
    "closed folder": (lambda at: at.config.store / "blobs", lambda path: path.chmod(0o755), "store", "open to others"),
    "socket": (lambda at: at.store.socket, Path.touch, "service", "was left by a service that was killed"),
    "leftover": (lambda at: at.course / "mirror.git/objects/pack/pack_git2_x", Path.touch, "mirrors", "1 leftovers"),
    "ref": (
        lambda at: at.course / "mirror.git/refs/remotes/origin/main",
        write(b"1" * 40 + b"\n"),
        "mirrors",
        "it is fetched anew",
    ),
    "content short": (lambda at: at.blobs[0], write(b"x"), "versions", "1 contents are damaged or missing"),
    "old list": (
        lambda at: at.course / "content/manifests" / ("1" * 40),
        made(b"x"),
        "pins",
        "so nothing is collected",
    ),
    "pins": (lambda at: at.store.pins, write(b"{"), "pins", "nothing is collected for a week"),
}


@pytest.mark.parametrize("what", DAMAGE)
async def test_damage_is_found_and_mended(what: str, stopped: Node, instructor: Instructor) -> None:
    where, damage, check, words = DAMAGE[what]
    damage(where(stopped))
    found = await stopped.examined()
    told = [each for each in found[check] if words in each.sentence]
    assert len(told) == 1 and told[0].mend is not None, found
    found = await stopped.examined(mend=True)
    assert any(each.mended for each in found[check])
    found = await stopped.examined()
    assert [each for each in found.get(check, []) if words in each.sentence] == []
    assert instructor.head is not None
    async with node(stopped.config) as running:
        assert shown(await running.until(instructor.head)) == as_git_shows(instructor.path, instructor.head)


async def test_content_with_its_size_but_not_its_id_is_found_by_a_deep_look(
    stopped: Node, instructor: Instructor
) -> None:
    write(b"Content a")(stopped.blobs[0])
    async with node(stopped.config) as running:
        assert "versions" not in await stopped.examined()
        found = await stopped.examined(deep=True)
        assert found["versions"][0].sentence.endswith("missing: syncd node mend")
        found = await stopped.examined(deep=True, mend=True)
        assert found["versions"][0].sentence == "c: 1 contents are being made again."
        await running.until_state("up_to_date")
        assert instructor.head is not None
    async with node(stopped.config) as running:
        assert shown(await running.until(instructor.head)) == as_git_shows(instructor.path, instructor.head)


async def test_what_only_people_can_do_is_said(stopped: Node, server: GitServer) -> None:
    (stopped.place / "secret").write_text("")
    (stopped.place / "token").write_text("wrong")
    (stopped.place / "members").unlink()
    (stopped.course / "ready.json").unlink()
    pins = json.loads(stopped.store.pins.read_bytes())
    pins["views"][0][3] = ["2" * 40]
    stopped.store.pins.write_text(json.dumps(pins))
    found = await stopped.examined()
    assert "(the webhook's secret of c) is empty" in found["secrets"][0].sentence
    assert "does not accept the token" in found["remotes"][0].sentence
    assert "so c has no members: write it anew" in found["members"][0].sentence
    assert "stand on versions that the store no longer has (c 2222222222)" in found["pins"][0].sentence
    stopped.toml.write_text("store = [")
    found = await stopped.examined(store=stopped.config.store)
    assert "not valid TOML" in found["settings"][0].sentence


async def test_content_that_is_gone_needs_but_a_start(stopped: Node, instructor: Instructor) -> None:
    stopped.blobs[0].unlink()
    found = await stopped.examined()
    assert found["versions"][0].sentence == "c: 1 contents are not there; the next start makes them again."
    async with node(stopped.config) as running:
        await running.next()
        assert "versions" not in await stopped.examined()


async def test_damaged_pack_is_found_by_a_deep_look(stopped: Node) -> None:
    (pack,) = stopped.course.glob("mirror.git/objects/pack/*.pack")
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 0xFF
    write(bytes(content))(pack)
    found = await stopped.examined(deep=True, mend=True)
    assert found["mirrors"][0].mended and not (stopped.course / "mirror.git").exists()


@pytest.mark.root
async def test_token_that_the_service_can_not_read_is_said(stopped: Node) -> None:
    os.chown(stopped.config.store, 1234, 1234)
    (stopped.place / "token").chmod(0o600)
    found = await stopped.examined()
    assert found["secrets"][0].sentence.startswith("The service can't read")


@pytest.mark.root
async def test_root_reads_the_mirror_as_the_user_it_belongs_to(stopped: Node) -> None:
    for folder in (stopped.place, *stopped.place.parents):
        folder.chmod(folder.stat().st_mode | 0o011)
    for path in (stopped.config.store, *stopped.config.store.rglob("*")):
        os.chown(path, 1234, 1234)
    assert "mirrors" not in await stopped.examined()
    (stopped.course / "mirror.git/HEAD").unlink()
    assert "is no repository" in (await stopped.examined())["mirrors"][0].sentence
    assert not (stopped.course / "mirror.git/HEAD").exists(), "looking made nothing"


async def test_service_that_does_not_answer_is_named_by_its_process(stopped: Node) -> None:
    with stopped.store:
        found = await stopped.examined()
        assert found["service"][0].sentence.startswith(f"Process {os.getpid()} has the store but does not answer")


def test_options_of_a_node_want_the_node() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "doctor", "--deep"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "add --node" in done.stderr and done.stderr.count("\n") == 1


async def test_a_hub_that_can_not_be_reached_is_told(stopped: Node) -> None:
    stopped.toml.write_text(
        stopped.toml.read_text().replace(
            "[[course]]", 'hub = "http://127.0.0.1:1"\nhub_token_file = "hub.token"\n[[course]]', 1
        )
    )
    (stopped.place / "hub.token").write_text("t")
    (stopped.place / "hub.token").chmod(0o600)
    async with node(load_config(stopped.toml)) as running:
        await running.until_state("up_to_date")
        while "can't be reached" not in (await running.client.status())["hub"]["sentence"]:
            pass
        (found,) = (await stopped.examined())["hub"]
    assert found.level is Level.WARNING and "polled" in found.sentence and "127.0.0.1:1" in found.sentence
    with pytest.raises(NeedsUser, match="hub_token_file"):
        replace(stopped.config, hub="https://hub.example.edu")
