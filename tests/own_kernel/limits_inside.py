"""Run on a kernel of our own, as root: limits of agents by control groups, of layers by the quota of homes' disk."""

import asyncio
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from class_node import ClassNode, until
from disk_quota import limit_blocks, set_project
from repository import READ, WRITE, commit_and_push

from syncd.agent.ask_parent import ask_parent
from syncd.demo.gitserver import GitServer
from syncd.node.client import NodeClient

GROUPS, MB, DISK = Path("/sys/fs/cgroup"), 1 << 20, "/dev/ubda"
BIG = "of the course\n" * 300_000


class GroupedNode(ClassNode):
    """A node whose processes start in a control group."""

    group = GROUPS

    @property
    def inside(self) -> list[str]:
        """See `ClassNode`."""
        return ["sh", "-c", f'echo $$ > {self.group}/cgroup.procs; exec "$@"', "sh", *super().inside]


def main() -> None:
    root = Path("/run/class")
    (root / "home").mkdir(parents=True)
    subprocess.run(["mount", "-o", "usrquota,prjquota", DISK, root / "home"], check=True)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    server = GitServer(root / "srv", write_tokens=[WRITE], read_tokens=[READ])
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(30)
    commit_and_push(root / "work", server.create("ds8"), {"lab.txt": "one\n", "big.txt": BIG})
    (root / "token").write_text(READ)
    (root / "token").chmod(0o600)
    course = f'[[course]]\nname = "ds8"\nremote = "{server.url("ds8")}"\ntoken_file = "{root}/token"\n'
    with GroupedNode(root, ["ada", "ben"]) as node:
        settings = node.settings([course])
        node.start("node", "syncd", "node", "--config", settings)
        node.start("broker", "fuse_mount.broker", node.broker)
        # As systemd does with Delegate=: a part of the tree, with the controllers that are wanted, and a mark.
        (GROUPS / "cgroup.subtree_control").write_text("+memory +pids")
        ours = GROUPS / "agents"
        ours.mkdir()
        os.setxattr(ours, "trusted.delegate", b"1")
        node.group = ours
        node.start_parent()
        node.group = GROUPS

        pids = {name: _ensured(node, name) for name in ("ada", "ben")}
        _groups(node, ours, pids)
        _quota(node, lambda files: commit_and_push(root / "work", server.url("ds8"), files))
    sys.exit(0)


def _ensured(node: ClassNode, name: str) -> int:
    assert os.path.exists("/dev/fuse")
    found = ask_parent(node.agents, {"do": "ensure", "user": name, "wait_s": 30.0})
    assert found["folders"][0]["state"] == "ready", found
    return int(found["pid"])


def _groups(node: ClassNode, ours: Path, pids: Mapping[str, int]) -> None:
    for name, pid in pids.items():
        group = ours / f"agent-{node.uid(name)}"
        assert (group / "cgroup.procs").read_text().split() == [str(pid)]
        for limit in ("memory.max", "memory.swap.max"):
            assert (group / limit).read_text() == f"{256 * MB}\n"
        assert (group / "pids.max").read_text() == "128\n"
    group = ours / f"agent-{node.uid('ada')}"
    _fork_too_often(group)
    mine = node.home("ada") / "ds8/mine.txt"
    node.run_as("ada", f"open({str(mine)!r}, 'w').write('mine\\n')")
    (group / "memory.max").write_text(str(2 * MB))  # as if it had grown above its limit
    until(lambda: _pid(node, "ada") not in (0, pids["ada"]))
    assert "oom_kill 1" in (group / "memory.events").read_text()
    until(lambda: _reads(node, "mine.txt") == "mine\n")
    assert (group / "memory.max").read_text() == f"{256 * MB}\n", "the next one has its limit again"
    assert (group / "cgroup.procs").read_text().split() == [str(_pid(node, "ada"))]
    assert _pid(node, "ben") == pids["ben"] and node.processes["parent"].poll() is None
    ask_parent(node.agents, {"do": "end", "user": "ben"})
    until(lambda: not (ours / f"agent-{node.uid('ben')}").exists())


def _quota(node: ClassNode, push: Callable[[Mapping[str, str]], object]) -> None:
    limit_blocks(DISK, node.uid("ada"), 6 * MB)
    folder = node.home("ada") / "ds8"
    told = node.run_as("ada", _FILL % str(folder))
    assert told.split() == [str(errno.EDQUOT)] * 2, (
        "the system's own word, to whoever writes and whoever edits a large file"
    )
    assert node.read("ada", "ds8/big.txt") == BIG and _reads(node, "mine.txt") == "mine\n"
    push({"lab.txt": "two\n", "big.txt": BIG})
    until(lambda: _reads(node, "lab.txt") == "two\n" or "quota" in _sentence(node))
    assert _reads(node, "mine.txt") == "mine\n"
    node.run_as("ada", f"os.unlink({str(folder / 'fill')!r})")
    until(lambda: _reads(node, "lab.txt") == "two\n")
    assert _reads(node, "mine.txt") == "mine\n" and node.read("ada", "ds8/big.txt") == BIG
    # A quota of the layer alone, by project, is no limit: the kernel lets the owner of a folder take it out.
    set_project(node.home("ada"), 77)
    asking = os.fork()
    if asking == 0:
        os.setresuid(node.uid("ada"), node.uid("ada"), node.uid("ada"))
        set_project(node.home("ada"), 0)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(asking, 0)[1]) == 0


def _sentence(node: ClassNode) -> str:
    return str([view["sentence"] for view in asyncio.run(NodeClient(node.root / "store/node.sock").status())["views"]])


_FILL = """
os.chdir(%r)
for name, mode in (("fill", "wb"), ("big.txt", "r+b")):
    try:
        with open(name, mode, buffering=0) as out:
            while True:
                out.write(bytes(65536))
    except OSError as error:
        print(error.errno)
"""


def _fork_too_often(group: Path) -> None:
    """Something of the agent's that starts processes without end stands still at the limit."""
    script = f"echo $$ > {group}/cgroup.procs; for n in $(seq 200); do sleep 60 & done; wait"
    bomb = subprocess.Popen(["sh", "-c", script], stderr=subprocess.DEVNULL, start_new_session=True)
    until(lambda: int((group / "pids.events").read_text().split()[1]) > 0)
    assert int((group / "pids.current").read_text()) <= 128
    os.killpg(bomb.pid, 9)
    bomb.wait()
    until(lambda: int((group / "pids.current").read_text()) < 10)


def _pid(node: ClassNode, user: str) -> int:
    agents = ask_parent(node.agents, {"do": "list"})["agents"]
    return int(next(agent["pid"] for agent in agents if agent["user"] == user))


def _reads(node: ClassNode, name: str) -> str:
    try:
        return node.read("ada", f"ds8/{name}")
    except AssertionError:  # its mount is dead for a moment, on a kernel that can't hand it over
        return ""


if __name__ == "__main__":
    main()
