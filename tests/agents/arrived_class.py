"""A class of three students at a node with two courses."""

import asyncio
from collections.abc import Callable
from typing import Any

from class_node import ClassNode
from repository import commit_and_push

from syncd.agent.ask_parent import ask_parent
from syncd.demo.gitserver import GitServer
from syncd.node.client import NodeClient

ADA, BEN, CY = "ada", "ben", "cy"
FIRST = {"lab/a.txt": "one\n", "big.bin": "x" * 400_000}


class Class:
    """The node, with a course of `ada` and `ben`, and another of `ben` alone."""

    def __init__(self, node: ClassNode, server: GitServer) -> None:
        self.node, self.server = node, server

    def ask(self, what: str, user: str | None = None, wait_s: float = 20.0) -> dict[str, Any]:
        return ask_parent(self.node.agents, {"do": what, "user": user, "wait_s": wait_s})

    def pid(self, user: str) -> int:
        return next(agent["pid"] for agent in self.ask("list")["agents"] if agent["user"] == user)


async def told(arrived: Class, story: Callable[[Class], None]) -> None:
    """Stories block; the git server goes on meanwhile."""
    await asyncio.to_thread(story, arrived)


def push(arrived: Class, files: dict[str, str]) -> None:
    commit_and_push(arrived.node.root / "ds8.work", arrived.server.url("ds8"), files)
    asyncio.run(NodeClient(arrived.node.root / "store/node.sock").hint("ds8"))
