"""The stand-in for GitHub, used by git itself and as a process."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from real_git import READ, WRITE

from syncd.demo.githooks import signature
from syncd.demo.gitserver import GitServer

pytestmark = pytest.mark.slow


async def git(*arguments: str | Path, token: str = WRITE, cwd: Path) -> tuple[int, str]:
    """Run git with the token in a header from its environment."""
    import base64

    basic = base64.b64encode(f"x:{token}".encode()).decode()
    settings = {
        "http.extraHeader": f"Authorization: Basic {basic}",
        "user.name": "Ida",
        "user.email": "ida@example.org",
    }
    environment = {**os.environ, "GIT_CONFIG_COUNT": str(len(settings)), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    for number, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    pipe, out = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    ran = await asyncio.create_subprocess_exec(
        "git", *arguments, cwd=cwd, env=environment, stdout=pipe, stderr=out, stdin=asyncio.subprocess.DEVNULL
    )
    said, _ = await ran.communicate()
    return ran.returncode or 0, said.decode()


@pytest.fixture
async def clone(server: GitServer, tmp_path: Path) -> Path:
    assert (await git("clone", server.url("course"), "clone", cwd=tmp_path))[0] == 0
    folder = tmp_path / "clone"
    (folder / "a.txt").write_text("1\n")
    await git("add", ".", cwd=folder)
    await git("commit", "-m", "first", cwd=folder)
    assert (await git("push", "origin", "HEAD:main", cwd=folder))[0] == 0
    return folder


async def test_git_clones_and_pushes_large_and_small(server: GitServer, clone: Path, tmp_path: Path) -> None:
    (clone / "big.bin").write_bytes(os.urandom(6 << 20))  # over http.postBuffer: chunked
    (clone / "text.txt").write_text("compresses well\n" * 100_000)
    await git("add", ".", cwd=clone)
    await git("commit", "-m", "large", cwd=clone)
    assert (await git("push", "origin", "HEAD:main", cwd=clone))[0] == 0
    assert (await git("clone", "-c", "protocol.version=2", server.url("course"), "again", cwd=tmp_path))[0] == 0
    assert (tmp_path / "again/big.bin").read_bytes() == (clone / "big.bin").read_bytes()
    assert (await git("clone", "--depth", "1", server.url("course"), "shallow", cwd=tmp_path))[0] == 0


async def test_many_branches_make_a_compressed_request(server: GitServer, clone: Path, tmp_path: Path) -> None:
    for number in range(60):
        await asyncio.to_thread(_branch, server.path("course"), number)
    assert (await git("fetch", "origin", "refs/heads/*:refs/remotes/origin/*", cwd=clone))[0] == 0
    assert len(list((await git("branch", "-r", cwd=clone))[1].splitlines())) >= 60


def _branch(repository: Path, number: int) -> None:
    run = ["git", "-C", str(repository)]
    made = subprocess.run(
        [*run, "-c", "user.name=x", "-c", "user.email=x", "commit-tree", "-m", str(number), "main^{tree}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    subprocess.run([*run, "branch", f"b{number}", made.stdout.strip()], check=True)


async def test_forced_and_protected_pushes_are_refused(server: GitServer, clone: Path) -> None:
    await git("commit", "--amend", "-m", "other", cwd=clone)
    status, said = await git("push", "--force", "origin", "HEAD:main", cwd=clone)
    assert status and "non-fast-forward" in said
    server.protected.append("main")
    await git("commit", "--allow-empty", "-m", "x", cwd=clone)
    status, said = await git("push", "origin", "HEAD:exam", cwd=clone)
    assert status == 0, "another branch is free"
    server.protected.append("exam")
    status, said = await git("push", "origin", "HEAD~1:exam", "HEAD:other", cwd=clone)
    assert status


async def test_rights_are_githubs(server: GitServer, clone: Path) -> None:
    assert "403" in (await git("push", "origin", "HEAD:x", token=READ, cwd=clone))[1]
    async with aiohttp.ClientSession() as session:

        async def status(name: str, token: str | None, service: str = "git-upload-pack") -> int:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with session.get(f"{server.url(name)}/info/refs?service={service}", headers=headers) as answer:
                return answer.status

        assert await status("course", None) == 401
        assert await status("course", "wrong") == 401
        assert await status("course", READ) == 200
        assert await status("course", READ, "git-receive-pack") == 403
        assert await status("nothing", READ) == 404
        assert await status("..%2f..%2fetc", READ) == 404
        assert await status("course", WRITE, "git-evil-pack") == 403


async def test_push_is_told_with_a_signature(server: GitServer, clone: Path) -> None:
    heard: asyncio.Queue[tuple[str, str, bytes]] = asyncio.Queue()

    async def hear(request: web.Request) -> web.Response:
        body = await request.read()
        heard.put_nowait((request.headers["X-GitHub-Event"], request.headers["X-Hub-Signature-256"], body))
        return web.Response(status=202)

    app = web.Application()
    app.add_routes([web.post("/hook", hear)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.hook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", "s3cret")
    before = (await git("rev-parse", "HEAD", cwd=clone))[1].strip()
    await git("commit", "--allow-empty", "-m", "x", cwd=clone)
    await git("push", "origin", "HEAD:main", cwd=clone)
    event, signed, body = await asyncio.wait_for(heard.get(), 10)
    assert (event, signed) == ("push", signature("s3cret", body))
    told = json.loads(body)
    assert (told["ref"], told["before"]) == ("refs/heads/main", before)
    await git("push", "origin", "HEAD:main", cwd=clone)
    server.protected.append("main")
    await git("commit", "--allow-empty", "-m", "y", cwd=clone)
    await git("push", "origin", "HEAD:main", cwd=clone)
    assert heard.empty(), "a push that changed nothing or was refused is not told"
    await runner.cleanup()


async def test_it_runs_as_a_process(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text(json.dumps({"write": [WRITE], "read": [READ]}))
    (tmp_path / "srv").mkdir()
    ready = tmp_path / "ready"
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncd.demo.gitserver", "--root", tmp_path / "srv", "--port", "0"),
        *("--token-file", tmp_path / "tokens.json", "--ready-file", ready),
        stdout=asyncio.subprocess.PIPE,
    )
    assert running.stdout
    url = (await running.stdout.readline()).decode().strip()
    facts = json.loads(ready.read_text())
    assert facts["url"] == url
    await git("init", "--bare", "x.git", cwd=tmp_path / "srv")
    assert (await git("ls-remote", f"{url}/x.git", token=READ, cwd=tmp_path))[0] == 0
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{facts['admin']}/faults", json={"kind": "503"}) as answer:
            assert answer.status == 200
        assert (await git("ls-remote", f"{url}/x.git", cwd=tmp_path))[0] != 0
        async with session.post(f"{facts['admin']}/faults", json={}), session.get(f"{facts['admin']}/counts") as answer:
            assert (await answer.json())["refs_read"] >= 2
        async with session.post(f"{url}/-/wrong/faults", json={"kind": "503"}) as answer:
            assert answer.status == 404
    running.terminate()
    assert await running.wait() == 0
