"""A class that is told of new versions at once: no agent need wake for it, and everybody is accounted for."""

import contextlib
import json
import os
import signal
import socket
import threading
from typing import Any

import pytest
from arrived_class import ADA, BEN, FIRST, Class, push, told
from class_node import ClassNode, until

pytestmark = [pytest.mark.root, pytest.mark.fuse, pytest.mark.slow]


def views(node: ClassNode) -> dict[str, dict[str, Any]]:
    """What the node knows of the views of ds8, by user."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(node.root / "store/node.sock"))
        asking.send(b"GET /v1/status HTTP/1.0\r\nHost: node\r\n\r\n")
        said = b"".join(iter(lambda: asking.recv(1 << 16), b""))
    found = json.loads(said.partition(b"\r\n\r\n")[2])["views"]
    return {view["user"]: view for view in found if view["course"] == "ds8"}


def ready(node: ClassNode) -> str:
    return str(json.loads((node.root / "store/courses/ds8/ready.json").read_text())["commit"])


async def test_all_see_a_version_at_once_and_are_reported_to_show_it(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        for name in (ADA, BEN):
            hub.ask("ensure", name)
            assert node.read(name, "ds8/lab/a.txt") == "one\n"
        until(lambda: set(views(node)) == {ADA, BEN})
        for turn in range(5):
            push(hub, {**FIRST, "lab/a.txt": f"turn {turn}\n", "lab/new.txt": f"{turn}\n"})
            # Ben never looks.
            until(lambda turn=turn: node.read(ADA, "ds8/lab/a.txt") == f"turn {turn}\n")  # type: ignore[misc]
            assert node.read(ADA, "ds8/lab/new.txt") == f"{turn}\n"
        wanted = {(ready(node), "up_to_date")}
        until(lambda: {(view["commit"], view["state"]) for view in views(node).values()} == wanted)
        assert node.read(BEN, "ds8/lab/new.txt") == "4\n"

    await told(arrived, story)


async def test_whoever_has_something_to_merge_gets_it_merged_though_nobody_looks(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        for name in (ADA, BEN):
            hub.ask("ensure", name)
        mine = node.home(ADA) / "ds8/lab/a.txt"
        node.run_as(ADA, f"open({str(mine)!r}, 'a').write('mine\\n')")
        push(hub, {**FIRST, "lab/a.txt": "zero\none\n"})
        upper = node.home(ADA) / ".local/state/synced-folders/agent/courses/ds8/view/upper/lab/a.txt"
        until(lambda: upper.read_text() == "zero\none\nmine\n")
        until(lambda: {view["commit"] for view in views(node).values()} == {ready(node)})

    await told(arrived, story)


async def test_programs_that_watch_a_folder_hear_of_a_version(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        hub.ask("ensure", ADA)
        ears = (
            "libc = ctypes.CDLL(None)\nlibc.prctl(4, 1)  # as what a student starts\nfd = libc.inotify_init1(0)\n"
            f"os.listdir({str(node.home(ADA) / 'ds8/lab')!r})\n"
            f"assert libc.inotify_add_watch(fd, {str(node.home(ADA) / 'ds8/lab')!r}.encode(), 8) >= 0\n"
            f"open({str(node.home(ADA) / 'listens')!r}, 'w').close()\n"
            "assert select.select([fd], [], [], 30)[0]\nprint(b'a.txt' in os.read(fd, 4096))"
        )
        said: list[str] = []
        listener = threading.Thread(target=lambda: said.append(node.run_as(ADA, ears)))
        listener.start()
        until((node.home(ADA) / "listens").exists)
        node.read(ADA, "ds8/lab/a.txt")
        push(hub, {**FIRST, "lab/a.txt": "two\n"})
        listener.join(60)
        assert said == ["True\n"]

    await told(arrived, story)


@pytest.mark.parametrize("looks", [True, False])
async def test_agents_go_on_by_themselves_when_nobody_tells_them_any_more(arrived: Class, looks: bool) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        hub.ask("ensure", ADA)
        assert node.read(ADA, "ds8/lab/a.txt") == "one\n"
        pid = hub.pid(ADA)
        node.stop("parent", signal.SIGKILL)
        push(hub, {**FIRST, "lab/a.txt": "two\n"})
        if looks:
            until(lambda: node.read(ADA, "ds8/lab/a.txt") == "two\n")
        until(lambda: {view["commit"] for view in views(node).values()} == {ready(node)})
        node.start_parent()
        push(hub, {**FIRST, "lab/a.txt": "three\n"})
        until(lambda: node.read(ADA, "ds8/lab/a.txt") == "three\n")
        assert hub.pid(ADA) == pid

    await told(arrived, story)


async def test_paused_folder_stays_though_the_version_is_posted(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        for name in (ADA, BEN):
            hub.ask("ensure", name)
        assert node.read(ADA, "ds8/lab/a.txt") == "one\n"
        state = node.home(ADA) / ".local/state/synced-folders/agent"
        pause = (
            f"asking = socket.socket(socket.AF_UNIX)\nos.chdir({str(state)!r})\nasking.connect('agent.sock')\n"
            'said = b\'{"course": "ds8", "paused": %s}\'\n'
            "asking.send(b'POST /v1/pause HTTP/1.0\\r\\nHost: agent\\r\\nContent-Type: application/json\\r\\n'"
            " + b'Content-Length: %%d\\r\\n\\r\\n' %% len(said) + said)\nassert b' 200 ' in asking.recv(4096)"
        )
        node.run_as(ADA, pause % "true")
        push(hub, {**FIRST, "lab/a.txt": "two\n"})
        until(lambda: node.read(BEN, "ds8/lab/a.txt") == "two\n")
        assert node.read(ADA, "ds8/lab/a.txt") == "one\n"
        node.run_as(ADA, pause % "false")
        until(lambda: node.read(ADA, "ds8/lab/a.txt") == "two\n")

    await told(arrived, story)


async def test_nobody_but_the_parent_can_post_a_version(arrived: Class) -> None:
    def story(hub: Class) -> None:
        hub.ask("ensure", ADA)
        pid = hub.pid(ADA)
        pages = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # it goes on meanwhile
                pages += [fd] if "memfd:news" in os.readlink(f"/proc/{pid}/fd/{fd}") else []
        assert len(pages) == 1
        # Even root, by the agent's own descriptor: the page is sealed.
        page = os.open(f"/proc/{pid}/fd/{pages[0]}", os.O_RDWR)
        with pytest.raises(PermissionError):
            os.write(page, b"x")
        os.close(page)

    await told(arrived, story)


async def test_node_that_was_away_is_followed_again(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        hub.ask("ensure", ADA)
        node.stop("node", signal.SIGKILL)
        node.start("node", "syncd", "node", "--config", node.root / "node.toml")
        push(hub, {**FIRST, "lab/a.txt": "two\n"})
        until(lambda: node.read(ADA, "ds8/lab/a.txt") == "two\n")

    await told(arrived, story)
