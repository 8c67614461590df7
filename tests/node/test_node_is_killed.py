"""kill -9 of a node at every step on disk, and at random moments: the next start goes on from whole things."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from courses import SECRET, Instructor, as_git_shows, node, secret_file, settings, shown

from syncd.demo.gitserver import GitServer
from syncd.node.config import NodeConfig
from syncd.node.store import Store

_TOML = (
    '[[course]]\nname = "c"\nremote = "{url}"\nbranch = "main"\ntoken_file = "token"\nwebhook_secret_file = "secret"\n'
)


def written(config: NodeConfig, tmp_path: Path, **more: object) -> Path:
    path = tmp_path / "node.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"store": "store", "poll_seconds": 30, **more}.items()]
    path.write_text("\n".join(lines) + "\n" + _TOML.format(url=config.courses[0].remote))
    return path


@contextlib.asynccontextmanager
async def process(*argv: str | Path) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(sys.executable, *argv, stdin=pipe, stdout=pipe)
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.wait()


def whole(config: NodeConfig, instructor: Instructor, *commits: str) -> None:
    """What the store calls ready is one of these commits, and complete."""
    kept = Store(config.store).ready("c")
    assert kept is not None and kept.ready.commit in commits
    assert shown(kept.ready) == as_git_shows(instructor.path, kept.ready.commit)


@pytest.mark.slow
async def test_node_killed_at_each_step_goes_on(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    config = settings(tmp_path, server.url("course"))
    path = written(config, tmp_path)
    files = {f"d{n}/f{n}": b"%d" % n for n in range(4)}
    last = await instructor.push(files)
    async with node(config) as running:
        await running.until(last)
    async with process(Path(__file__).with_name("crasher.py")) as crasher:
        assert crasher.stdin and crasher.stdout

        async def serve(commit: str, step: int) -> dict[str, Any]:
            crasher.stdin.write(json.dumps({"config": str(path), "commit": commit, "step": step}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(await crasher.stdout.readline())
            return answer

        step, killed = 0, True
        while killed:
            step += 1
            made = await instructor.push({**files, "d1/f1": b"changed %d" % step, "new": b"%d" % step})
            killed = (await serve(made, step))["killed"]
            whole(config, instructor, last, made)
            again = await serve(made, 1_000_000)
            assert again == {"killed": False, "status": 0}, f"after a kill at step {step}"
            whole(config, instructor, made)
            last = made
        assert step > 20, "the steps are counted"
    left = [one for one in config.store.rglob("*") if one.name.startswith((".", "pack_git2_")) and one.is_file()]
    assert left == [] and not list((config.store / "incoming").rglob("*"))


@pytest.mark.slow
async def test_node_killed_at_random_moments_goes_on(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    config = settings(tmp_path, server.url("course"))
    path = written(config, tmp_path, webhook="127.0.0.1:0")
    rng = random.Random(2026)
    files = {f"d{n % 7}/f{n}": os.urandom(20_000) for n in range(60)}
    last = made = await instructor.push(files)
    program = (
        "import asyncio, json, sys; from pathlib import Path\n"
        "from syncd.node.config import load_config; from syncd.node.service import run_node\n"
        "asyncio.run(run_node(load_config(Path(sys.argv[1])), ready=lambda f: print(json.dumps(f), flush=True)))\n"
    )
    for _ in range(5):
        async with process("-c", program, path) as running:
            assert running.stdout
            facts = json.loads(await running.stdout.readline())
            server.hooks.clear()
            server.hook(f"{facts['webhook']}/webhook/c", SECRET)
            files[f"d{rng.randrange(7)}/new{rng.random()}"] = os.urandom(200_000)
            made = await instructor.push(files)
            await asyncio.sleep(rng.uniform(0, 0.06))
            running.send_signal(signal.SIGKILL)
            await running.wait()
        kept = Store(config.store).ready("c")
        if kept is not None:
            assert kept.ready.commit in (last, made)
            assert shown(kept.ready) == as_git_shows(instructor.path, kept.ready.commit)
        async with node(config) as healed:
            assert shown(await healed.until(made)) == as_git_shows(instructor.path, made)
        last = made


@pytest.mark.slow
async def test_fetch_cut_in_the_middle_leaves_nothing_behind(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    config = settings(tmp_path, server.url("course"), poll_seconds=0.2)
    made = await instructor.push({f"f{n}": os.urandom(100_000) for n in range(10)})
    server.fault("cut", times=3, on=["fetch"])
    async with node(config) as running:
        await running.until_state("offline")
        assert shown(await running.until(made)) == as_git_shows(instructor.path, made)
    async with node(config) as running:
        await running.until(made)
        assert not list(config.store.glob("courses/c/mirror.git/objects/pack/pack_git2_*"))


@pytest.mark.slow
async def test_full_disk_is_said_and_passes(
    tmp_path: Path, server: GitServer, instructor: Instructor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await instructor.push({"a": b"1"})
    config = settings(tmp_path, server.url("course"), poll_seconds=0.2)
    real = os.replace

    def full(source: str, target: str) -> None:
        if "store" in str(target):
            raise OSError(28, "No space left on device")
        real(source, target)

    async with node(config) as running:
        await running.until(first)
        monkeypatch.setattr(os, "replace", full)
        second = await instructor.push({"a": b"2"})
        status = await running.until_state("needs_you")
        assert "disk" in status["sentence"] and status["commit"] == first
        monkeypatch.setattr(os, "replace", real)
        assert shown(await running.until(second)) == {"a": (0o100644, b"2")}


def test_secret_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    from syncd.core.errors import NeedsUser
    from syncd.node.config import read_secret

    assert read_secret(secret_file(tmp_path / "good", " x \n")) == "x"
    (tmp_path / "good").chmod(0o644)
    with pytest.raises(NeedsUser, match="chmod 600"):
        read_secret(tmp_path / "good")
    with pytest.raises(NeedsUser, match="can't be read"):
        read_secret(tmp_path / "none")
