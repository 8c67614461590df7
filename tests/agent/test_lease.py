"""The lease of a state folder that several machines share: who has it, when it passes on, and that nobody writes after.

A machine is played by a process in a mount namespace with a boot id of its own; times are short.
"""

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import pytest

from syncd.agent.lease import Lease, Times, served_on
from syncd.agent.shared_disk import may_be_shared
from syncd.core.errors import Stop

QUICK, SLOW = Times(0.3, 3.0, 5.0), Times()
HOLDER = """
import select, sys, time
from pathlib import Path
from syncd.agent.lease import Lease, Times
lease = Lease(Path(sys.argv[1]), Times(*map(float, sys.argv[3:])))
while (node := lease.take()) is not None:
    print(node, flush=True)
    time.sleep(0.05)
print("mine", flush=True)
written = open(Path(sys.argv[1]).parent / "written", "a", buffering=1)
while not select.select([sys.stdin], [], [], 0)[0]:
    written.write(sys.argv[2] + "\\n")
written.close()
lease.release()
"""


class Machine:
    """A machine with the folder, and one process there that wants its lease."""

    def __init__(self, folder: Path, state: Path, name: str, times: Times) -> None:
        boot = folder / f"{name}.boot"
        boot.write_text(f"boot-of-{name}\n")
        inside = f'mount --bind {boot} /proc/sys/kernel/random/boot_id && hostname {name} && exec "$@"'
        command = ["unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", inside, "sh"]
        self.process = subprocess.Popen(
            [*command, sys.executable, "-c", HOLDER, str(state), name, *map(str, astuple(times))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def gets_it(self) -> None:
        while (said := self.says()) != "mine":
            assert said

    def end(self) -> None:
        assert self.process.stdin is not None
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


Two = tuple[Path, Machine, Machine]


@pytest.fixture
def two(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Two]:
    state, times = tmp_path / "state", getattr(request, "param", QUICK)
    state.mkdir()
    one = Machine(tmp_path, state, "one", times)
    assert one.says() == "mine"
    other = Machine(tmp_path, state, "two", times)
    assert other.says() == "one"
    yield state, one, other
    for machine in (one, other):
        machine.end()


def writers(state: Path) -> list[str]:
    """Who has written, one after the other."""
    return [name for name, _ in itertools.groupby((state.parent / "written").read_text().split())]


def test_second_agent_of_a_machine_stops_and_a_successor_goes_on_at_once(tmp_path: Path) -> None:
    first, second = Lease(tmp_path, Times()), Lease(tmp_path, Times())
    assert first.take() is None
    with pytest.raises(Stop, match="end that one first"):
        second.take()
    first.release()
    assert second.take() is None, "what was let go is had at once"
    second.release()
    code = "import os, sys\nfrom pathlib import Path\nfrom syncd.agent.lease import Lease\n"
    code += "assert Lease(Path(sys.argv[1])).take() is None\nos.kill(os.getpid(), 9)"
    dead = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert dead.returncode == -signal.SIGKILL
    third = Lease(tmp_path)
    assert third.take() is None, "and so is what a process of this machine died with"
    third.release()
    assert len(list(tmp_path.glob("lease*"))) == 1, "one lease at a time is kept"


def test_what_is_no_lease_is_taken_for_somebodys(tmp_path: Path) -> None:
    (tmp_path / "lease.7").write_text("not ours")
    lease = Lease(tmp_path, Times(expired_s=0.2))
    assert lease.take() == "another node"
    time.sleep(0.3)
    assert lease.take() is None and [each.name for each in tmp_path.glob("lease*")] == ["lease.8"]
    lease.release()


def test_disks_of_one_machine_are_told_from_those_of_several(tmp_path: Path) -> None:
    assert not may_be_shared(tmp_path)
    assert may_be_shared(Path("/proc")), "what is not known may be shared"


@pytest.mark.root
@pytest.mark.parametrize("two", [SLOW], indirect=True)
def test_lease_let_go_is_had_by_the_other_machine_before_it_could_expire(two: Two) -> None:
    state, one, other = two
    assert one.process.stdin is not None
    one.process.stdin.write("end\n")
    one.process.stdin.flush()
    other.gets_it()
    assert one.process.wait() == 0 and writers(state)[:1] == ["one"]


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_lease_of_a_machine_that_says_nothing_passes_on_after_its_holder_is_dead(two: Two, number: int) -> None:
    state, one, other = two
    one.process.send_signal(number)
    assert served_on(state) == "one"
    other.gets_it()
    assert one.process.poll() == -signal.SIGKILL, "one that was stopped, too: by the kernel"
    one.process.send_signal(signal.SIGCONT)
    size = (state.parent / "written").stat().st_size
    while (state.parent / "written").stat().st_size < size + 1000:
        time.sleep(0.01)
    assert served_on(state) == "two" and writers(state) == ["one", "two"]


@pytest.mark.root
def test_holder_whose_lease_was_taken_ends_at_once(two: Two) -> None:
    state, one, _ = two
    (newest,) = state.glob("lease.*")
    newest.rename(state / "lease.99")
    assert one.process.wait() == -signal.SIGKILL
