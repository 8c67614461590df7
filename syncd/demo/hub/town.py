"""The hub's demo, once it runs: git server, the instructor's publisher, the node, and a JupyterHub around them."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from syncd.core.errors import Stop
from syncd.demo import sample
from syncd.demo.hands import Cast, Hands
from syncd.demo.hub.browser import Browser
from syncd.demo.hub.lab_hands import LabHands
from syncd.demo.hub.people import INSTRUCTOR, Person, settle
from syncd.demo.processes import Processes, end_with_parent
from syncd.demo.remote import Remote, course_name, start_remote, write_private
from syncd.demo.stage import POLL_S, STUDENTS

_HUB_PATIENCE_S = 90.0
_HUB_ENDS_S = 10.0
TEACHING = "teaching"
"""The instructor's own folder is in this one; beside it is the course as students see it."""


class HubUnavailable(Stop):
    """The hub did not come up, though all else did."""


@dataclass(frozen=True, slots=True)
class Town:
    """Where everything is; `hub` is the address that people open."""

    hub: str
    course: str
    folder: str
    people: dict[str, Person]
    remote: Remote

    def cast(self) -> Cast:
        """Log everybody in, start their servers side by side, and give them hands in Lab."""
        browsers = {name: Browser(self.hub, name) for name in self.people}
        for name, browser in browsers.items():
            browser.log_in(self.people[name].password)
            browser.begin_server()
        for browser in browsers.values():
            browser.await_server()

        def hands(name: str, folder: str) -> Hands:
            return LabHands(self.people[name], browsers[name], folder, self.course)

        students = {name: hands(name, self.folder) for name in STUDENTS}
        return Cast(hands(INSTRUCTOR, f"{TEACHING}/{self.folder}"), students, self.remote.published)


def set_up(processes: Processes, root: Path, course: str | None, people: dict[str, Person]) -> Town:
    """Start all but the hub.  Stop or NeedsUser, in one sentence, if a part does not come up."""
    for person in people.values():
        settle(person)
    name = course_name(course)
    remote = start_remote(processes, root, course)
    slug = _slug(name)
    _teach(processes, people[INSTRUCTOR], name, remote, planted=course is None)
    node = root / "node"
    processes.start(
        "node",
        "syncd",
        *("node", "--store", node, "--course", f"{slug}={remote.url}#{remote.branch}", "--poll", str(POLL_S)),
        *("--token-file", write_private(root / "read-token", remote.reader)),
    )
    if any(person.account is not None for person in people.values()):
        node.chmod(0o755)  # everybody asks it; what they get is the node's to say
    hub = f"http://127.0.0.1:{_free_port()}/"
    facts = {
        "hub": hub,
        "inner": f"http://127.0.0.1:{_free_port()}",
        "api": f"http://127.0.0.1:{_free_port()}",
        "course": slug,
        "folder": name,
        "remote": remote.url,
        "branch": remote.branch,
        "node": str(node / "node.sock"),
        "publisher": str(people[INSTRUCTOR].state),
        "passwords": {person.name: person.password for person in people.values()},
        "instructor": INSTRUCTOR,
        "students": list(STUDENTS),
        "homes": str(people[INSTRUCTOR].home.parent),
        "accounts": people[INSTRUCTOR].account is not None,
    }
    write_private(root / "hub/demo.json", json.dumps(facts))
    (root / "hub").chmod(0o700)
    return Town(hub, slug, name, people, remote)


class HubProcess:
    """The hub itself; an end of it ends the servers of all people."""

    def __init__(self, root: Path) -> None:
        self.log = root / "logs/hub.log"
        config = Path(__file__).with_name("jupyterhub_config.py")
        with open(self.log, "ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(config)],
                cwd=root / "hub",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process.poll() is not None

    def await_health(self, hub: str) -> None:
        """Until people can come.  HubUnavailable if that isn't so after a while."""
        deadline = time.monotonic() + _HUB_PATIENCE_S
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while not self.has_ended and time.monotonic() < deadline:
            try:
                with opener.open(f"{hub}hub/health", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        words = self.log.read_text(errors="replace").strip().splitlines()
        raise HubUnavailable(f"The hub did not come up: {words[-1] if words else 'it said nothing'}")

    def stop(self) -> None:
        """Have it end everybody's server, and end."""
        if not self.has_ended:
            self._process.terminate()
        try:
            self._process.wait(_HUB_ENDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def connect_webhook(town: Town) -> None:
    """What an instructor does once on GitHub: the address and secret of the course's page go to the git server."""
    kim = Browser(town.hub, INSTRUCTOR)
    kim.log_in(town.people[INSTRUCTOR].password)
    page = kim.text(f"{kim.pages}courses/{town.course}/")
    secret = re.search(r'id="webhook-secret">.*?<code>([^<]+)</code>', page, re.DOTALL)
    if secret is None:
        raise Stop("The course's page shows no secret for webhooks.")
    town.remote.register_webhook(f"{kim.pages}webhooks/{town.course}", secret[1])


def _teach(processes: Processes, kim: Person, name: str, remote: Remote, *, planted: bool) -> None:
    """The instructor's folder, published from the home."""
    folder = kim.home / TEACHING / name
    folder.mkdir(parents=True)
    if planted:
        sample.plant(folder)
    token = write_private(kim.home / ".config/synced-folders-token", remote.token)
    kim.own(kim.home)
    done = processes.run(
        *("add", folder, remote.url, "--branch", remote.branch, "--token-file", token),
        env=kim.environment,
        account=kim.account,
    )
    if done.returncode:
        raise Stop(done.stderr.strip() or done.stdout.strip())
    processes.start("publisher", "syncd", "run", env=kim.environment, account=kim.account)


def _environment() -> dict[str, str]:
    """What the hub gets: nothing that another hub, which this demo may run inside, has set."""
    strange = ("JUPYTER", "SYNCD_", "CONFIGPROXY_")
    return {key: value for key, value in os.environ.items() if not key.startswith(strange)}


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:60] or "course"


def _free_port() -> int:
    # RACE: it is free now, and taken a moment later by whom it is for.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
