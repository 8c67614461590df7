"""What it costs that agents report: `python -m tests.bench.bench_reports [--agents 2000] [--seconds 60]`.

A hub that the bench plays knows as many tokens as there are agents; each agent reports every 30 seconds to the real
service in a process of its own, and once at the same moment after a publish in the middle, while a page of the class is
open.  Told is the share of one core that the service used, with and without the page, and the slowest answer.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from aiohttp import web

from hub_plugin.courses import Course
from hub_plugin.settings import VARIABLE, Settings

PREFIX = "/services/synced-folders/"
SCOPE = "access:services!service=synced-folders"
EVERY_S = 30.0


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        hub, api = await played_hub()
        service, url = await started(Path(folder), api)
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:
                await measured(session, url, service.pid, given.agents, given.seconds)
        finally:
            service.terminate()
            await service.wait()
            await hub.cleanup()


async def played_hub() -> tuple[web.AppRunner, str]:
    async def user(request: web.Request) -> web.Response:
        name = request.headers["Authorization"].removeprefix("token ")
        groups = ["course-ds8-staff"] if name == "kim" else ["course-ds8"]
        return web.json_response({"kind": "user", "name": name, "groups": groups, "scopes": [SCOPE]})

    app = web.Application()
    app.router.add_get("/hub/api/user", user)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/hub/api"


async def started(folder: Path, api: str) -> tuple[asyncio.subprocess.Process, str]:
    course = Course("ds8", "https://x/o/r", groups=("course-ds8",), staff_groups=("course-ds8-staff",))
    port = random.randrange(20_000, 30_000)
    settings = Settings(courses=(course,), db_url=f"sqlite:///{folder}/state.sqlite")
    environment = {
        **os.environ,
        VARIABLE: settings.to_json(),
        "JUPYTERHUB_API_URL": api,
        "JUPYTERHUB_API_TOKEN": "none",
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps([SCOPE]),
    }
    service = await asyncio.create_subprocess_exec(sys.executable, "-m", "hub_plugin.serve", env=environment)
    url = f"http://127.0.0.1:{port}{PREFIX}"
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}health"):
                    return service, url
            except aiohttp.ClientError:
                assert service.returncode is None
                await asyncio.sleep(0.05)


async def measured(session: aiohttp.ClientSession, url: str, process: int, agents: int, seconds: float) -> None:
    slowest = 0.0
    commit = "a" * 40

    async def report(number: int) -> None:
        nonlocal slowest
        said = {"course": "ds8", "kind": "overlay", "commit": commit, "state": "up_to_date", "waiting": [], "notes": []}
        began = time.monotonic()
        headers = {"Authorization": f"token s{number:05}"}
        async with session.post(f"{url}api/v1/views", json=said, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        slowest = max(slowest, time.monotonic() - began)

    async def agent(number: int, until: float) -> None:
        await asyncio.sleep(random.uniform(0, EVERY_S))
        while time.monotonic() < until:
            await report(number)
            await asyncio.sleep(EVERY_S)

    await asyncio.gather(*(report(number) for number in range(agents)))  # each has come once
    out: dict[str, float] = {"agents": agents}
    for watched in (False, True):
        page = asyncio.create_task(look(session, url)) if watched else None
        before, began, slowest = used_s(process), time.monotonic(), 0.0
        running = [asyncio.create_task(agent(number, began + seconds)) for number in range(agents)]
        await asyncio.sleep(seconds / 2)
        commit = "b" * 40 if not watched else "c" * 40
        await asyncio.gather(*(report(number) for number in range(agents)))  # a publish: all tell of it
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        share = (used_s(process) - before) / (time.monotonic() - began)
        for task in (*running, *([page] if page else [])):
            task.cancel()
        await asyncio.gather(*running, *([page] if page else []), return_exceptions=True)
        how = "with the class's page asked for every second" if watched else "with no page open"
        print(f"{agents} agents, {how}: {share:.1%} of a core, slowest answer {slowest * 1000:.0f} ms")
        out["core_share_watched" if watched else "core_share"] = round(share, 4)
    print(json.dumps(out))


async def look(session: aiohttp.ClientSession, url: str) -> None:
    while True:
        async with session.get(f"{url}api/v1/me", headers={"Authorization": "token kim"}) as answer:
            assert answer.status in (200, 429)
        await asyncio.sleep(1)


def used_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    asyncio.run(main())
