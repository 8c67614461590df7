"""Remote against real git over HTTP."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pygit2
import pytest
from real_git import OUTSIDE, READ, WRITE, commit, off_loop, remote

from syncd.core.entry import CommitId
from syncd.core.errors import NeedsUser, Refused, SyncError, TryAgain
from syncd.core.transfer import Direction, Transfer
from syncd.demo.gitserver import GitServer
from syncd.git.remote import Behind, Busy, Damaged, NoBranch, Remote


def tracking(repository: Path, branch: str = "main") -> str | None:
    repo = pygit2.Repository(str(repository))
    name = f"refs/remotes/origin/{branch}"
    return str(repo.references[name].target) if name in repo.references else None


async def push(server: GitServer, repository: Path, files: dict[str, bytes], *parents: CommitId) -> CommitId:
    made = commit(repository, files, *parents)
    await off_loop(remote(server.url("course")).push, repository, made, "main")
    return made


async def sentence(work: Callable[..., object], *arguments: object, kind: type[SyncError]) -> str:
    with pytest.raises(kind) as raised:
        await off_loop(work, *arguments)
    text = str(raised.value)
    assert text and "\n" not in text and "Error" not in text and "GitError" not in text
    assert not any(token in text for token in (WRITE, READ, OUTSIDE))
    return text


async def test_pushed_commit_is_shown_and_fetched(server: GitServer, repository: Path, tmp_path: Path) -> None:
    made = await push(server, repository, {"a": b"1"})
    there = remote(server.url("course"))
    assert await off_loop(there.head, "main") == made
    assert await off_loop(there.branches) == {"main": made}
    assert await off_loop(there.default_branch) == "main"
    assert tracking(repository) == made
    other = tmp_path / "other.git"
    pygit2.init_repository(str(other), bare=True)
    assert await off_loop(there.fetch, other, "main") == made
    assert tracking(other) == made


async def test_fetching_again_asks_for_no_objects(server: GitServer, repository: Path, tmp_path: Path) -> None:
    await push(server, repository, {"a": b"1"})
    other = tmp_path / "other.git"
    pygit2.init_repository(str(other), bare=True)
    there = remote(server.url("course"))
    await off_loop(there.fetch, other, "main")
    await off_loop(there.fetch, other, "main")
    assert server.counts["fetch"] == 1
    assert server.counts["denied"] == 0, "the token goes with the first request already"


async def test_empty_repository_has_no_branches(server: GitServer, repository: Path) -> None:
    there = remote(server.url("course"))
    assert await off_loop(there.branches) == {}
    assert await off_loop(there.head, "main") is None
    assert await off_loop(there.default_branch) is None
    assert "still empty" in await sentence(there.fetch, repository, "main", kind=NoBranch)


async def test_missing_branch_keeps_what_was_fetched(server: GitServer, repository: Path) -> None:
    made = await push(server, repository, {"a": b"1"})
    there = remote(server.url("course"))
    assert "main" in await sentence(there.fetch, repository, "gone", kind=NoBranch)
    pygit2.Repository(str(server.path("course"))).references.delete("refs/heads/main")
    await sentence(there.fetch, repository, "main", kind=NoBranch)
    assert tracking(repository) == made


@pytest.mark.slow
@pytest.mark.parametrize("branch", ["", "-x", "a b", "a..b", "a:b", "*", "x.lock", "a\nb"])
async def test_branch_name_that_git_forbids_is_refused(server: GitServer, repository: Path, branch: str) -> None:
    made = await push(server, repository, {"a": b"1"})
    there = remote(server.url("course"))
    await sentence(there.fetch, repository, branch, kind=NeedsUser)
    await sentence(there.push, repository, made, branch, kind=NeedsUser)
    assert await off_loop(there.branches) == {"main": made}


async def test_push_that_is_no_fast_forward_is_behind(server: GitServer, repository: Path, tmp_path: Path) -> None:
    first = await push(server, repository, {"a": b"1"})
    second = await push(server, repository, {"a": b"2"}, first)
    there = remote(server.url("course"))
    sibling = commit(repository, {"a": b"other"}, first)
    other = tmp_path / "other.git"
    pygit2.init_repository(str(other), bare=True)
    stranger = commit(other, {"a": b"stranger"})
    for where, made in ((repository, sibling), (repository, first), (other, stranger)):
        await sentence(there.push, where, made, "main", kind=Behind)
    assert await off_loop(there.head, "main") == second


async def test_push_of_what_is_there_already_is_done(server: GitServer, repository: Path) -> None:
    made = await push(server, repository, {"a": b"1"})
    await off_loop(remote(server.url("course")).push, repository, made, "main")


async def test_push_tells_the_servers_own_words(server: GitServer, repository: Path) -> None:
    first = await push(server, repository, {"a": b"1"})
    there = remote(server.url("course"))
    server.protected.append("exam")
    assert "GH006" in await sentence(there.push, repository, first, "exam", kind=Refused)
    big = commit(repository, {"big.bin": b"x" * 2_000}, first)
    server.largest_file = 1_000
    said = await sentence(there.push, repository, big, "main", kind=Refused)
    assert "big.bin" in said and "1000 bytes" in said
    assert await off_loop(there.branches) == {"main": first}
    assert tracking(repository) == first


async def test_token_decides_what_may_be_done(server: GitServer, repository: Path) -> None:
    made = await push(server, repository, {"a": b"1"})
    url = server.url("course")
    assert await off_loop(remote(url).may_push) is True
    assert await off_loop(remote(url, READ).may_push) is False
    assert await off_loop(remote(url, READ).head, "main") == made
    following = commit(repository, {"a": b"2"}, made)
    said = await sentence(remote(url, READ).push, repository, following, "main", kind=Refused)
    assert "Write access to repository not granted" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("token", "words"),
    [("wrong", "does not accept the token"), (None, "asks for a token"), (OUTSIDE, "no repository at")],
)
async def test_wrong_token_is_told_from_none_and_from_no_right(
    server: GitServer, repository: Path, token: str | None, words: str
) -> None:
    made = await push(server, repository, {"a": b"1"})
    there = remote(server.url("course"), token)
    for work in (there.branches, there.may_push):
        assert words in await sentence(work, kind=NeedsUser)
    assert words in await sentence(there.fetch, repository, "main", kind=NeedsUser)
    assert words in await sentence(there.push, repository, commit(repository, {}, made), "main", kind=NeedsUser)


async def test_missing_repository_is_said(server: GitServer, repository: Path) -> None:
    there = remote(server.url("nowhere"))
    assert "check the address" in await sentence(there.head, "main", kind=NeedsUser)
    assert "check the address" in await sentence(there.fetch, repository, "main", kind=NeedsUser)


@pytest.mark.slow
@pytest.mark.parametrize("on", [("refs_read", "refs_write"), ("fetch", "push")])
@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("503", Busy, "answered 503"),
        ("429", Busy, "slow down"),
        ("html", TryAgain, "web page"),
        ("cut", TryAgain, "broke off"),
        ("418", NeedsUser, "status 418"),
        ("moved", NeedsUser, "has moved"),
    ],
)
async def test_trouble_of_the_server_is_said(
    server: GitServer,
    repository: Path,
    tmp_path: Path,
    on: tuple[str, ...],
    fault: str,
    kind: type[SyncError],
    words: str,
) -> None:
    first = await push(server, repository, {"a": b"1"})
    empty = tmp_path / "empty.git"
    pygit2.init_repository(str(empty), bare=True)
    there = remote(server.url("course"))
    server.fault(fault, on=on)
    assert words in await sentence(there.fetch, empty, "main", kind=kind)
    assert words in await sentence(there.push, repository, commit(repository, {}, first), "main", kind=kind)
    server.heal()
    assert await off_loop(there.fetch, empty, "main") == await off_loop(there.head, "main")


@pytest.mark.slow
async def test_server_that_never_answers_times_out(server: GitServer, repository: Path, tmp_path: Path) -> None:
    await push(server, repository, {"a": b"1"})
    empty = tmp_path / "empty.git"
    pygit2.init_repository(str(empty), bare=True)
    there = remote(server.url("course"), timeout_s=0.2)
    server.fault("hang")
    assert "in time" in await sentence(there.head, "main", kind=TryAgain)
    assert "in time" in await sentence(there.fetch, empty, "main", kind=TryAgain)
    server.heal()


async def test_busy_server_says_when_to_come_back(server: GitServer) -> None:
    server.fault("429")
    with pytest.raises(Busy) as busy:
        await off_loop(remote(server.url("course")).head, "main")
    assert busy.value.after_s == 7


@pytest.mark.slow
async def test_push_whose_answer_was_lost_can_be_done_again(server: GitServer, repository: Path) -> None:
    first = await push(server, repository, {"a": b"1"})
    second = commit(repository, {"a": b"2"}, first)
    there = remote(server.url("course"))
    server.fault("cut", times=1, on=["push"])
    await sentence(there.push, repository, second, "main", kind=TryAgain)
    assert tracking(repository) == first, "not claimed before the server said so"
    await off_loop(there.push, repository, second, "main")
    assert await off_loop(there.head, "main") == second == tracking(repository)


@pytest.mark.slow
async def test_repository_renamed_on_its_host_is_followed(server: GitServer, repository: Path, tmp_path: Path) -> None:
    first = await push(server, repository, {"a": b"1"})
    server.path("course").rename(server.path("new-name"))
    server.renamed["course"] = "new-name"
    empty = tmp_path / "empty.git"
    pygit2.init_repository(str(empty), bare=True)
    there = remote(server.url("course"))
    assert await off_loop(there.fetch, empty, "main") == first
    second = commit(repository, {"a": b"2"}, first)
    await off_loop(remote(server.url("course")).push, repository, second, "main")
    assert await off_loop(there.head, "main") == second


async def test_token_is_never_sent_to_another_host(server: GitServer, repository: Path, tmp_path: Path) -> None:
    await push(server, repository, {"a": b"1"})
    async with GitServer(tmp_path / "thief", write_tokens=[WRITE]) as thief:
        thief.create("course")
        server.fault("moved")
        server.moved_port = thief.port
        there = remote(server.url("course"))
        await sentence(there.head, "main", kind=NeedsUser)
        await sentence(there.fetch, repository, "main", kind=NeedsUser)
        assert thief.counts.total() == 0


async def test_unreachable_host_is_said(tmp_path: Path, repository: Path) -> None:
    async with GitServer(tmp_path / "gone") as server:
        url = server.url("course")
    there = remote(url)
    assert "can't be reached" in await sentence(there.head, "main", kind=TryAgain)
    assert "can't be reached" in await sentence(there.fetch, repository, "main", kind=TryAgain)
    there = remote("http://no-such-host.invalid/x.git")
    assert "can't be found" in await sentence(there.head, "main", kind=TryAgain)
    assert "can't be found" in await sentence(there.fetch, repository, "main", kind=TryAgain)


async def test_token_is_in_no_file_and_no_log(
    server: GitServer, repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await push(server, repository, {"a": b"1"})
    there = remote(server.url("course"))
    await off_loop(there.fetch, repository, "main")
    await off_loop(there.may_push)
    assert WRITE not in caplog.text and WRITE not in repr(there.__dict__)
    for path in repository.rglob("*"):
        assert not path.is_file() or WRITE.encode() not in path.read_bytes()
    assert made


async def test_token_is_asked_for_at_each_use(server: GitServer) -> None:
    given = iter(["wrong", WRITE])
    there = Remote(server.url("course"), lambda: next(given))
    await sentence(there.branches, kind=NeedsUser)
    assert await off_loop(there.branches) == {}


async def test_local_repository_that_is_no_more_is_damaged(server: GitServer, tmp_path: Path) -> None:
    await sentence(remote(server.url("course")).fetch, tmp_path / "nothing", "main", kind=Damaged)


@pytest.mark.slow
async def test_slow_server_does_not_hold_up_another_remote(server: GitServer, repository: Path) -> None:
    made = await push(server, repository, {"a": b"1"})
    server.fault("hang", times=1, on=["refs_read"])
    slow = remote(server.url("course"), timeout_s=2)
    hanging = asyncio.create_task(off_loop(slow.head, "main"))
    await server.hanging.wait()
    assert await off_loop(remote(server.url("course")).fetch, repository, "main") == made
    assert not hanging.done()
    server.heal()
    with pytest.raises(TryAgain):
        await hanging


async def test_large_transfers_say_how_far_they_are(server: GitServer, repository: Path, tmp_path: Path) -> None:
    files = {f"{n}": os.urandom(20_000) for n in range(100)}
    made, sent, received = commit(repository, files), list[Transfer](), list[Transfer]()
    there = remote(server.url("course"))
    await off_loop(lambda: there.push(repository, made, "main", told=sent.append))
    other = tmp_path / "other.git"
    pygit2.init_repository(str(other), bare=True)
    await off_loop(lambda: there.fetch(other, "main", told=received.append))
    for told, direction in ((sent, Direction.PUSH), (received, Direction.FETCH)):
        last = told[-1]
        assert last.direction is direction and last.of == last.objects == 102
        assert 2_000_000 <= last.bytes < 2_100_000
        assert [each.bytes for each in told] == sorted(each.bytes for each in told)


@pytest.mark.parametrize(
    ("objects", "of", "seconds", "left"),
    [(0, 0, 9, None), (50, 100, 1, None), (4, 100, 9, None), (25, 100, 10, 30), (100, 100, 10, 0)],
)
def test_time_left_is_said_only_when_it_can_be_known(objects: int, of: int, seconds: float, left: float | None) -> None:
    assert Transfer(Direction.PUSH, objects, of, 0, seconds).seconds_left == left
