"""A town for the hub's tests, run by root in a mount namespace of its own (`unshare -m python town.py FOLDER`).

Git server, publisher, node and a real JupyterHub, whose users have system accounts that exist in here only: nothing
of it is to be seen outside, and all mounts go with the namespace.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from syncd.demo.hub.private_machine import add_accounts, let_everybody_mount, let_everybody_reach
from syncd.demo.processes import Processes, end_with_parent

USERS = {"ada": 64001, "ben": 64002, "kim": 64003, "eve": 64004, "root-of-hub": 64005}
PASSWORD = "learn-by-doing-it"
CHECKOUT = Path(__file__).parent.parent.parent


def main(folder: Path) -> None:
    folder.chmod(0o755)
    let_everybody_reach([Path(sys.base_prefix), Path(sys.prefix), CHECKOUT])
    add_accounts(folder, make_homes(folder))
    let_everybody_mount(folder)
    end_with_parent()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with Processes(folder / "logs") as processes:
        facts = set_up(processes, folder)
        hub = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", Path(__file__).with_name("town_config.py")],
            cwd=folder / "hub",
            env={**os.environ, "TOWN": json.dumps(facts)},
            stdout=open(folder / "logs/hub.log", "ab"),  # noqa: SIM115
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,
        )
        try:
            until_healthy(facts["hub"], hub)
            aside = folder / "ready.new"
            aside.write_text(json.dumps(facts))
            aside.rename(folder / "ready")
            hub.wait()
        finally:
            hub.terminate()
            try:
                hub.wait(20)
            except subprocess.TimeoutExpired:
                hub.kill()


def set_up(processes: Processes, folder: Path) -> dict[str, str]:
    bare = folder / "git/data-8/textbook.git"
    bare.parent.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", bare], check=True)
    tokens = folder / "tokens"
    tokens.write_text(json.dumps({"write": ["writer"], "read": ["reader"]}))
    git = processes.start("git", "syncd.demo.gitserver", "--root", folder / "git", "--token-file", tokens, "--public")
    remote = f"{git['url']}/data-8/textbook.git"
    course = folder / "instructor/textbook"
    (course / "notebooks").mkdir(parents=True)
    (course / "README.md").write_text("Welcome to the textbook.\n")
    (course / "notebooks/Sampling.ipynb").write_text(
        json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    (course / "notebooks/top_movies.csv").write_text("title,gross\nStar Wars,1\n")
    for name in ("writer", "reader"):
        (folder / name).write_text(name)
        (folder / name).chmod(0o600)
    state = {"SYNCD_STATE": str(folder / "instructor/state")}
    add_extra(folder)
    labs = add_labs(processes, folder, git["url"], state)
    added = processes.run("add", course, remote, "--token-file", folder / "writer", env=state)
    assert added.returncode == 0, added.stderr
    processes.start("publisher", "syncd", "run", env=state)
    settings = folder / "node.toml"
    course_said = f'[[course]]\nname = "textbook"\nremote = "{remote}"\nbranch = "main"\ntoken_file = "reader"\n'
    course_said += 'members_file = "members/textbook.members"\n'
    settings.write_text(f'store = "{folder}/node"\npoll_seconds = 0.3\n{course_said}{labs}')
    processes.start("node", "syncd", "node", "--config", settings)
    (folder / "node").chmod(0o755)
    start_agents_parent(processes, folder, settings)
    (folder / "hub").mkdir(mode=0o700)
    return {
        "hub": f"http://127.0.0.1:{free_port()}/at/school/",
        "inner": f"http://127.0.0.1:{free_port()}",
        "api": f"http://127.0.0.1:{free_port()}",
        "folder": str(folder),
        "remote": remote,
        "course": str(course),
        "node": str(folder / "node/node.sock"),
        "agents": str(folder / "agents.sock"),
        "publisher": state["SYNCD_STATE"],
        "git": git["url"],
        "labs": f"{git['url']}/data-8/labs.git",
    }


def add_extra(folder: Path) -> None:
    """A repository that no course has."""
    work = folder / "extra"
    work.mkdir()
    (work / "hello.md").write_text("Hello from the extra course.\n")
    me = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*me, "commit", "-qm", "First")):
        subprocess.run(["git", *command], cwd=work, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", work, folder / "git/data-8/extra.git"], check=True)


def add_labs(processes: Processes, folder: Path, git: str, state: dict[str, str]) -> str:
    """A second folder, whose students get what is published to a branch of theirs; the node's settings for it."""
    bare = folder / "git/data-8/labs.git"
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", bare], check=True)
    labs = folder / "instructor/labs"
    labs.mkdir()
    (labs / "lab01.md").write_text("The first lab.\n")
    for command in (
        ("add", labs, f"{git}/data-8/labs.git", "--token-file", folder / "writer"),
        ("students", labs, "students", "--way", "release"),
    ):
        done = processes.run(*command, env=state)
        assert done.returncode == 0, done.stderr
    course = f'name = "labs"\nremote = "{git}/data-8/labs.git"\nbranch = "students"\ntoken_file = "reader"'
    return f'[[course]]\n{course}\nmembers = ["kim"]\n'


def start_agents_parent(processes: Processes, folder: Path, settings: Path) -> None:
    broker = folder / "broker.sock"
    subprocess.Popen([sys.executable, "-m", "fuse_mount.broker", broker], preexec_fn=end_with_parent)
    while not broker.exists():
        time.sleep(0.01)
    processes.start(
        *("agents", "syncd", "agents", "run", "--config", settings, "--socket", folder / "agents.sock"),
        *("--records", folder / "records", "--quiet", "0.3"),
        env={"SYNCD_BROKER": str(broker)},
    )


def make_homes(folder: Path) -> dict[str, tuple[int, Path]]:
    homes = {name: (number, folder / "home" / name) for name, number in USERS.items()}
    for number, home in homes.values():
        home.mkdir(parents=True, mode=0o700)
        os.chown(home, number, number)
    return homes


def until_healthy(url: str, hub: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 80
    while hub.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}hub/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the hub did not come up; see its log")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
