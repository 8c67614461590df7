"""Mirrors: short history, few packs, and whole at every moment."""

from pathlib import Path

import pygit2
import pytest
from real_git import commit, off_loop, remote

from syncd.core.entry import CommitId
from syncd.core.errors import Stop
from syncd.demo.gitserver import GitServer
from syncd.git.mirror import Mirror, sweep, tidy


async def history(server: GitServer, repository: Path, length: int) -> list[CommitId]:
    made: list[CommitId] = []
    for number in range(length):
        made.append(commit(repository, {"a": b"%d" % number, "same": b"same"}, *made[-1:]))
    await off_loop(remote(server.url("course")).push, repository, made[-1], "main")
    return made


def contents(mirror: Path, tip: CommitId) -> dict[bytes, bytes]:
    opened = Mirror(mirror)
    return {entry.name: opened.blob(entry.id) for entry in opened.tree(opened.commit(tip).tree)}


async def test_shallow_mirror_fetches_each_push_in_one_request(
    server: GitServer, repository: Path, tmp_path: Path
) -> None:
    made = await history(server, repository, 60)
    there, path = remote(server.url("course")), tmp_path / "mirror.git"
    tip = await off_loop(lambda: (Mirror(path), there.fetch(path, "main", depth=1))[1])
    assert contents(path, tip) == {b"a": b"59", b"same": b"same"}
    with pytest.raises(Stop):
        Mirror(path).commit(made[0])
    for number in range(3):
        Mirror(path).forget_history(tip)
        made.append(commit(repository, {"a": b"new%d" % number, "same": b"same"}, made[-1]))
        await off_loop(there.push, repository, made[-1], "main")
        server.counts.clear()
        tip = await off_loop(there.fetch, path, "main")
        assert server.counts["fetch"] == 1
        assert contents(path, tip) == {b"a": b"new%d" % number, b"same": b"same"}
    Mirror(path).forget_history(tip)
    assert (path / "shallow").read_text() == f"{tip}\n"


async def test_shallow_mirror_follows_a_rewritten_history(server: GitServer, repository: Path, tmp_path: Path) -> None:
    made = await history(server, repository, 30)
    there, path = remote(server.url("course")), tmp_path / "mirror.git"
    Mirror(path)
    tip = await off_loop(lambda: there.fetch(path, "main", depth=1))
    Mirror(path).forget_history(tip)
    refs = pygit2.Repository(str(server.path("course"))).references
    for back in (28, 3, 17, 29):
        refs.create("refs/heads/main", made[back], force=True)
        tip = await off_loop(there.fetch, path, "main")
        Mirror(path).forget_history(tip)
        assert tip == made[back]
        assert contents(path, tip) == {b"a": b"%d" % back, b"same": b"same"}


@pytest.mark.slow
async def test_many_small_packs_become_one(server: GitServer, repository: Path, tmp_path: Path) -> None:
    there, path = remote(server.url("course")), tmp_path / "mirror.git"
    Mirror(path)
    tips: list[CommitId] = []
    for number in range(6):
        tips.append(commit(repository, {"a": b"%d" % number, "b": b"b" * number}, *tips[-1:]))
        await off_loop(there.push, repository, tips[-1], "main")
        await off_loop(there.fetch, path, "main")
    packs = path / "objects/pack"
    assert len(list(packs.glob("*.pack"))) == 6
    assert not tidy(path, most_packs=6)
    assert tidy(path, most_packs=3)
    assert {one.suffix for one in packs.iterdir()} == {".pack", ".idx"} and len(list(packs.iterdir())) == 2
    for number, tip in enumerate(tips):
        assert contents(path, tip) == {b"a": b"%d" % number, b"b": b"b" * number}
    assert not tidy(path, most_packs=0), "one pack can't be made fewer"
    assert contents(path, tips[-1])
    tips.append(commit(repository, {"a": b"after"}, tips[-1]))
    await off_loop(there.push, repository, tips[-1], "main")
    assert await off_loop(there.fetch, path, "main") == tips[-1]
    assert contents(path, tips[-1]) == {b"a": b"after"}


async def test_killed_tidying_is_swept(server: GitServer, repository: Path, tmp_path: Path) -> None:
    made = await history(server, repository, 2)
    path = tmp_path / "mirror.git"
    Mirror(path)
    await off_loop(remote(server.url("course")).fetch, path, "main")
    orphan = path / "objects/pack/pack-0000.pack"
    orphan.write_bytes(b"PACK")
    (path / "objects/pack/pack_git2_x1").write_bytes(b"half")
    assert sweep(path) == 2 and sweep(path) == 0
    assert not orphan.exists()
    assert contents(path, made[-1]) == {b"a": b"1", b"same": b"same"}
