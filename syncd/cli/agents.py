"""`syncd agents`: all students' agents of a node, started when they are needed."""

import asyncio
import gc
import grp
import json
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

import syncd.agent.control_server  # noqa: F401  (before agents are forked: what it loads is then shared by all)
from syncd.agent.ask_parent import ask_parent
from syncd.agent.become import Student
from syncd.agent.cgroup import Groups, Limits, delegated
from syncd.agent.equal_pages import offer_equal_pages
from syncd.agent.herald import Herald
from syncd.agent.kinds import kinds
from syncd.agent.lease import Times
from syncd.agent.parent import Parent
from syncd.agent.records import Records
from syncd.agent.running import Given, living
from syncd.agent.service import AgentConfig, FollowedCourse, run_agent
from syncd.agent.soft_limit import SoftLimit
from syncd.agent.zygote import Zygote
from syncd.cli.places import ready_writer, store_folder
from syncd.cli.serving import speak
from syncd.core.errors import NeedsUser
from syncd.git.lines import changed_lines
from syncd.node.added import stamp as added_stamp
from syncd.node.added import with_added
from syncd.node.config import NodeConfig, load_config
from syncd.node.members import Members
from syncd.node.store import Store
from syncd.node.views import Peer

_RUN = Path("/run/synced-folders")
_NOBODY = -1
_STATE = Path(".local/state/synced-folders/agent")

_socket_option = click.option(
    "--socket", "where", type=click.Path(path_type=Path), default=_RUN / "agents.sock", help="Where it listens."
)


@click.group()
def agents() -> None:
    """Start each student's agent when it is needed, for all their courses (as root, on a hub's node)."""


@agents.command(short_help="Wait for students who come.")
@click.option("--config", "settings", type=click.Path(path_type=Path), required=True, help="The node's settings.")
@click.option("--store", type=click.Path(path_type=Path), help="Where the node's store is, if they don't say.")
@_socket_option
@click.option("--records", type=click.Path(path_type=Path), default=_RUN / "agents", hidden=True)
@click.option("--group", metavar="GROUP", help="Who may ask, beside root: the hub's group.")
@click.option("--idle", "idle_s", type=float, default=1800.0, metavar="SECONDS", help="End after that long (1800).")
@click.option("--memory", type=int, default=256, metavar="MB", help="The most that one agent may use (256).")
@click.option("--soft-limit", type=int, default=5120, metavar="MB", help="Say so when a student keeps more (5120).")
@click.option("--merge-memory", is_flag=True, help="Have the kernel keep equal memory of all agents once (KSM).")
@click.option("--quiet", "quiet_s", type=float, default=2.0, hidden=True)
@click.option("--lease", type=float, nargs=3, default=(5.0, 20.0, 75.0), hidden=True)
@click.option("--ready-file", type=click.Path(path_type=Path), hidden=True)
def run(
    settings: Path,
    store: Path | None,
    where: Path,
    records: Path,
    group: str | None,
    idle_s: float,
    memory: int,
    soft_limit: int,
    merge_memory: bool,
    quiet_s: float,
    lease: tuple[float, float, float],
    ready_file: Path | None,
) -> None:
    """Wait for students; `ensure` (from the hub, PAM or a person) says who has come."""
    if os.geteuid() != 0:
        raise NeedsUser("Only root can start agents for others; a student's own is started by: syncd agent")
    speak()
    courses = _Courses(settings, store)
    node = courses.config.store / "node.sock"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # some four for each agent
    end, ending = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(ending, b"."))
    with _listening(where, group) as listener:
        kept = Records(records)
        groups = Groups(delegated(), Limits(memory << 20))
        overlay = kinds()["overlay"]  # imports all that an agent needs, once for all,
        changed_lines(b"", b"\n")  # and what merges need
        gc.collect()
        gc.freeze()
        if merge_memory and not offer_equal_pages():
            raise NeedsUser(
                "This kernel cannot merge equal memory (it has no /sys/kernel/mm/ksm): leave out --merge-memory."
            )
        zygote = Zygote(living(_work(node, quiet_s, SoftLimit(soft_limit << 20), Times(*lease))))
        parent = Parent(
            listener,
            kept,
            groups,
            courses,
            zygote,
            idle_s,
            lambda waiting, running: Herald(node, waiting, running, overlay.notices, overlay.watching),
        )
        click.echo(f"Starting agents on demand, asked at {where}.  Ctrl-C ends it; the agents go on.")
        ready_writer(ready_file)({"socket": str(where)})
        parent.run(end)
        zygote.close()


@agents.command()
@click.argument("user")
@_socket_option
@click.option("--wait", "wait_s", type=float, default=5.0, metavar="SECONDS", help="For the folders to show (5).")
def ensure(user: str, where: Path, wait_s: float) -> None:
    """Have USER's folders there; prints them as JSON."""
    click.echo(json.dumps(ask_parent(where, {"do": "ensure", "user": user, "wait_s": wait_s})))


@agents.command(short_help="End a student's agent; what is in the folders stays.")
@click.argument("user")
@_socket_option
def end(user: str, where: Path) -> None:
    """End USER's agent; the folders go until they are asked for again, what is in them stays."""
    click.echo(json.dumps(ask_parent(where, {"do": "end", "user": user})))


@agents.command("list")
@_socket_option
def list_all(where: Path) -> None:
    """Print all agents as JSON."""
    click.echo(json.dumps(ask_parent(where, {"do": "list"})))


class _Courses:
    """Who is a member of what, by the node's settings; read again when they change."""

    def __init__(self, path: Path, store: Path | None) -> None:
        self._path, self._store = path, store or store_folder()
        self.config: NodeConfig = with_added(load_config(path, self._store))
        self._stamp = self._stamps()
        self._members = Members(_NOBODY)

    def of(self, who: Student) -> Mapping[str, Path]:
        """A student's courses, each with where its content lies."""
        try:
            stamps = self._stamps()
            if stamps != self._stamp:
                self.config, self._stamp = with_added(load_config(self._path, self._store)), stamps
        except (OSError, NeedsUser) as problem:
            logging.getLogger(__name__).warning("the settings from before hold on: %s", problem)
        store, peer = Store(self.config.store), Peer(who.uid, who.name)
        mine = (course.name for course in self.config.courses if self._members.has(course, peer))
        return {name: store.content(name) for name in mine}

    @property
    def shared_homes(self) -> bool | None:
        """Whether other nodes have the students' homes, too; None: as their disk says."""
        return self.config.shared_homes

    def _stamps(self) -> tuple[int, int]:
        return self._path.stat().st_mtime_ns if self._path.exists() else 0, added_stamp(self.config.store)


def _work(node: Path, quiet_s: float, limit: SoftLimit, lease: Times) -> Callable[[Student, Sequence[str], Given], int]:
    def live(who: Student, courses: Sequence[str], given: Given) -> int:
        config = AgentConfig(
            courses=tuple(FollowedCourse(name, who.home / name) for name in courses),
            state=who.home / _STATE,
            node=node,
            user=who.name,
            quiet_s=quiet_s,
            doors=given.doors,
            shown=given.shown,
            limit=limit,
            told=given.told,
            shared=given.shared,
            lease=lease,
            elsewhere=given.elsewhere,
        )
        asyncio.run(run_agent(config))
        return 0

    return live


def _listening(path: Path, group: str | None) -> socket.socket:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        before = os.umask(0o177)  # nobody may ask between the next line and the one after it
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        if group is not None:
            os.chown(path, 0, grp.getgrnam(group).gr_gid)
            path.chmod(0o660)
        listener.listen(1024)
    except KeyError as error:
        listener.close()
        raise NeedsUser(f"This machine has no group named {group!r}: check the name.") from error
    except OSError as error:
        listener.close()
        raise NeedsUser(f"The socket {path} can't be made ({error.strerror}): choose another place.") from error
    return listener
