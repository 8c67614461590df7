"""The process that agents are forked from."""

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from syncd.agent.become import Student
from syncd.agent.news import MOST_COURSES
from syncd.agent.zygote import Birth, Forked, Zygote

ADA = Student("ada", os.getuid(), os.getgid(), (), Path("/home/ada"))


def live(birth: Birth) -> NoReturn:
    said = f"{birth.who.name} {birth.said['courses']} {sorted(birth.fds)} {os.getppid()}"
    os.write(birth.fds["out"], said.encode())
    os._exit(0)


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    made = Zygote(live)
    yield made
    made.close()


class Born:
    """A child, and the pipe that it writes into."""

    def __init__(self, zygote: Zygote) -> None:
        self._read, write = os.pipe()
        self.forked: Forked = zygote.fork(ADA, {"out": write}, {"courses": ["ds8"]})
        os.close(write)

    def said(self) -> str:
        """All that it wrote until its end."""
        assert select.select([self.forked.pidfd], [], [], 30)[0], "it goes on"
        text = os.read(self._read, 1000).decode()
        self.forked.hear.close()
        os.close(self.forked.pidfd)
        os.close(self._read)
        return text


def test_child_begins_when_it_is_told_to_with_what_it_was_given(zygote: Zygote) -> None:
    born = Born(zygote)
    assert not select.select([born.forked.pidfd], [], [], 0.2)[0]
    born.forked.go()
    assert born.said().startswith("ada ['ds8'] ['out'] ")


def test_child_whose_asker_is_gone_before_that_never_begins(zygote: Zygote) -> None:
    born = Born(zygote)
    born.forked.hear.close()
    assert born.said() == ""


def test_another_takes_the_place_of_one_that_was_killed(zygote: Zygote) -> None:
    before = Born(zygote)
    before.forked.go()
    parent = int(before.said().rpartition(" ")[2])
    os.kill(parent, signal.SIGKILL)
    os.waitid(os.P_PID, parent, os.WEXITED | os.WNOWAIT)
    after = Born(zygote)
    after.forked.go()
    assert int(after.said().rpartition(" ")[2]) not in (parent, os.getpid())


def test_what_is_too_much_to_tell_is_an_error_and_the_next_child_is_born(zygote: Zygote) -> None:
    with pytest.raises(OSError):
        zygote.fork(ADA, {}, {"courses": ["x" * 1_000_000]})
    born = Born(zygote)
    born.forked.go()
    assert born.said().startswith("ada ")


def test_agent_of_the_most_courses_gets_all_its_descriptors(zygote: Zygote) -> None:
    null = os.open("/dev/null", os.O_WRONLY)
    read, write = os.pipe()
    # Their pages and contents, the answers, and what wakes it.
    forked = zygote.fork(ADA, {"out": write, **{f"{n:03}": null for n in range(2 * MOST_COURSES + 1)}}, {"courses": []})
    os.close(write)
    forked.go()
    with open(read) as said:
        assert f"'{2 * MOST_COURSES:03}', 'out'" in said.read()
    forked.hear.close()
    os.close(forked.pidfd)
    os.close(null)
