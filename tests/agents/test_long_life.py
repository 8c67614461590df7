"""What a class lives through in a term: many updates, and everything killed at any moment.

SYNCD_UPDATES: how many (80).  SYNCD_KILLS_S: for how many seconds everything is killed (6), SYNCD_KILLS_SEED: in
which order (1).
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from arrived_class import ADA, BEN, FIRST, Class, push, told
from class_node import ClassNode, until

from syncd.versions import Versions

pytestmark = [pytest.mark.root, pytest.mark.fuse, pytest.mark.slow]

UPDATES, WARM = int(os.environ.get("SYNCD_UPDATES", "80")), 40
KILLS_S = float(os.environ.get("SYNCD_KILLS_S", "6"))
SEED = int(os.environ.get("SYNCD_KILLS_SEED", "1"))
STATE = ".local/state/synced-folders/agent/courses/ds8"

WRITER = """
import contextlib, os, sys, time
uid, folder, log, ended = sys.argv[1:]
os.setgroups([])
os.setresgid(*[int(uid)] * 3)
os.setresuid(*[int(uid)] * 3)
out, number = open(log, "a"), 0
while not os.path.exists(ended):
    number += 1
    mine = f"mine/{number}.txt", "w", f"{number}\\n" * 50
    for path, mode, text in (mine, ("lab/a.txt", "a", f"added {number}\\n")):
        try:
            if mode == "w":
                with contextlib.suppress(FileExistsError):
                    os.mkdir(f"{folder}/mine")
            with open(f"{folder}/{path}", mode) as file:
                file.write(text)
        except OSError:
            continue  # not saved, and the student was told so
        out.write(f"{path} {number}\\n")
        out.flush()
    time.sleep(0.02)
"""


async def test_many_updates_leave_nothing_behind(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        hub.ask("ensure", ADA)
        node.run_as(ADA, f"open({str(node.home(ADA) / 'ds8/lab/mine.txt')!r}, 'w').write('mine')")
        pids = {"agent": hub.pid(ADA), **{name: node.processes[name].pid for name in ("parent", "broker", "node")}}
        before: dict[str, tuple[int, int]] = {}
        disk = store = 0
        for number in range(UPDATES):
            if number == WARM:
                until(lambda: node.read(ADA, "ds8/lab/a.txt") == f"{WARM - 1}\n")
                before = {name: held(pid) for name, pid in pids.items()}
                disk, store = kilobytes(node.home(ADA)), kilobytes(node.root / "store")
            push(hub, {"lab/a.txt": f"{number}\n", f"lab/new{number % 7}.txt": f"{number}\n"})
        until(lambda: node.read(ADA, "ds8/lab/a.txt") == f"{UPDATES - 1}\n")
        assert node.read(ADA, "ds8/lab/mine.txt") == "mine"
        assert hub.pid(ADA) == pids["agent"]
        for name, pid in pids.items():
            descriptors, memory = held(pid)
            assert descriptors <= before[name][0] + (36 if name == "node" else 4), name  # packs of the mirror
            assert memory <= before[name][1] + 8_000, name
        assert kilobytes(node.home(ADA)) <= disk + 64
        # What nobody stands on is collected after a week; until then an update costs its objects.
        assert kilobytes(node.root / "store") <= store + 64 * (UPDATES - WARM)

    await told(arrived, story)


@pytest.mark.timeout(180 + 2 * KILLS_S)
async def test_everything_is_killed_while_students_write_and_all_they_saved_is_there(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node, chance = hub.node, random.Random(SEED)
        ended = node.root / "ended"
        writers = {}
        for name in (ADA, BEN):
            hub.ask("ensure", name)
            argv = [*node.inside, sys.executable, "-c", WRITER, str(node.uid(name))]
            writers[name] = subprocess.Popen([*argv, node.home(name) / "ds8", node.home(name) / "log", ended])
        until_s, last = time.monotonic() + KILLS_S, ""
        while time.monotonic() < until_s:
            victim = chance.choice([ADA, BEN, ADA, BEN, "parent", "node", "broker", "push", "push"])
            if victim == "push":
                last = f"version {chance.random()}\n"
                push(hub, {**FIRST, "lab/a.txt": last + "one\n"})
            elif victim in (ADA, BEN):
                for pid in agents_of(node, victim):
                    os.kill(pid, signal.SIGKILL)
            else:
                node.stop(victim, signal.SIGKILL)
                time.sleep(chance.uniform(0, 0.1))
                start_again(node, victim)
            time.sleep(chance.uniform(0, 0.3))
        ended.touch()
        for name, writer in writers.items():
            assert writer.wait(30) == 0
            hub.ask("ensure", name)
            until(lambda name=name: shows(node, name, last))  # type: ignore[misc]
            saved = [line.split() for line in (node.home(name) / "log").read_text().splitlines()]
            assert saved
            everything = everything_of(node, name)
            for path, number in saved:
                if path == "lab/a.txt":
                    assert f"added {number}\n" in everything, (name, number)
                else:
                    assert f"{path} {number * 50}\n" in everything, (name, path)

    await told(arrived, story)


def kilobytes(folder: Path) -> int:
    """Blocks of all that lies in a folder, mounts left out."""
    done = subprocess.run(["du", "-skx", str(folder)], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[0])


def held(pid: int) -> tuple[int, int]:
    """Descriptors and resident kilobytes of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return len(os.listdir(f"/proc/{pid}/fd")), int(status.partition("VmRSS:")[2].split()[0])


def agents_of(node: ClassNode, name: str) -> list[int]:
    """By the parent's own record, for it may not run."""
    record = node.root / "records" / f"{node.uid(name)}.json"
    found = json.loads(record.read_text())["pid"] if record.exists() else 0
    return [found] if found and Path(f"/proc/{found}").exists() else []


def start_again(node: ClassNode, name: str) -> None:
    if name == "parent":
        node.start_parent()
    elif name == "node":
        node.start("node", "syncd", "node", "--config", node.root / "node.toml")
    else:
        node.start("broker", "fuse_mount.broker", node.broker)


def shows(node: ClassNode, name: str, text: str) -> bool:
    """Whether a student sees it; a folder that is not there again yet shows nothing."""
    at = str(node.home(name) / "ds8/lab/a.txt")
    look = f"import os\nif os.path.exists({at!r}) and {text!r} in open({at!r}).read(): print('yes')"
    return "yes" in node.run_as(name, look)


def everything_of(node: ClassNode, name: str) -> str:
    """Every text that is anywhere a student would look: the folder, what was put beside it, the older versions."""
    code = f"""import pathlib
top = pathlib.Path({str(node.home(name) / "ds8")!r})
for path in (top / 'lab').iterdir():
    print(path.read_text())
for path in [*top.glob('mine/*'), *top.parent.glob('ds8 (written while it was not mounted*/mine/*')]:
    print(path.parent.name + '/' + path.name, path.read_text().replace('\\n', ''))
"""
    versions = Versions(node.home(name) / STATE / "versions")
    kept = [versions.read(version.id).decode() for version in versions.list()]
    return "\n".join([node.run_as(name, code), *kept])
