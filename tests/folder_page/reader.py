"""The parties of a page's story: the publisher as a process of its own, its control, and a reader without a browser."""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

TOKEN = "write-token-0815"


class Publisher:
    """`syncd run` on a state folder, in a process of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state

    async def __aenter__(self) -> Self:
        ready = self.state / "ready.json"
        ready.unlink(missing_ok=True)
        env = {**os.environ, "SYNCD_STATE": str(self.state)}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "syncd", "run", "--ready-file", str(ready), env=env, stdout=asyncio.subprocess.DEVNULL
        )
        for _ in range(400):
            if ready.exists() or self._process.returncode is not None:
                break
            await asyncio.sleep(0.05)
        control = json.loads((self.state / "control.json").read_text())
        self.url: str = control["url"]
        self._session = aiohttp.ClientSession(
            self.url, headers={"Authorization": f"Bearer {control['token']}"}, timeout=aiohttp.ClientTimeout(20)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        if self._process.returncode is None:
            self._process.terminate()
        assert await self._process.wait() == 0

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        method = "GET" if body is None else "POST"
        async with self._session.request(method, path, json=body) as answer:
            assert answer.status < 300, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    async def entrance(self) -> str:
        """A link that opens the page once."""
        url: str = (await self.ask("/v1/page", {}))["url"]
        return url

    async def folder(self, at: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask("/v1/status"))["folders"][at]
        return found

    async def until(self, holds: Callable[[dict[str, Any]], bool], within: float = 20.0) -> dict[str, Any]:
        end = time.monotonic() + within
        while not holds(status := await self.folder()):
            assert time.monotonic() < end, f"still {status}"
            await asyncio.sleep(0.05)
        return status

    async def up_to_date(self) -> dict[str, Any]:
        return await self.until(lambda now: now["state"] == "up_to_date")


class Reader:
    """A browser's part of the protocol, so that each header can be wrong."""

    def __init__(self, entrance: str) -> None:
        self.entrance = URL(entrance)
        self.base = URL(entrance.rpartition("enter")[0])
        self.origin = str(self.base.origin())
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    async def enter(self) -> Self:
        async with self.session.get(self.entrance) as answer:
            assert answer.status == 200
        return self

    @property
    def cookie(self) -> str:
        [cookie] = self.session.cookie_jar
        return f"{cookie.key}={cookie.value}"

    async def get(self, path: str = "", **headers: str) -> tuple[int, str]:
        async with self.session.get(URL(f"{self.base}{path}", encoded=True), headers=headers) as answer:
            return answer.status, await answer.text()

    async def csrf(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', (await self.get())[1])
        assert found
        return found[1]

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> tuple[int, str]:
        """A form, with the headers of a page of ours unless others are given; None as a text leaves one out."""
        sent = {"Origin": self.origin, "Accept": "application/json"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        sent = {name: value for name, value in sent.items() if value != "None"}
        async with self.session.post(
            URL(f"{self.base}{path}", encoded=True), data=fields, headers=sent, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text()

    async def press(self, where: str, **fields: str) -> str:
        """A button that must work; what the page says."""
        status, text = await self.post(where, {"csrf": await self.csrf(), **fields})
        assert status == 200, text
        sentence: str = json.loads(text)["sentence"]
        return sentence


def text_of(html: str) -> str:
    """What a page says, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
