"""Trees that no git would write: what is shown of them, what is left out, and that nothing breaks."""

import os
from pathlib import Path

import pygit2
import pytest
from courses import Instructor, node, settings, shown

from syncd.core.names import LONGEST_PATH
from syncd.demo.gitserver import GitServer
from syncd.node import shown as rules

FILE, FOLDER, LINK, MODULE = 0o100644, 0o40000, 0o120000, 0o160000


async def test_hostile_entries_are_left_out_and_the_rest_is_shown(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    good, bad = instructor.blob(b"good"), instructor.blob(b"bad")
    inner = instructor.raw_tree((FILE, b"..", bad), (FILE, b"ok", good), (FILE, b"ok", bad))
    hooks = instructor.raw_tree((0o100755, b"post-checkout", bad))
    names = [b"..", b".", b"../../x", b"/abs", b".git", b".GIT", b"git~1", ".g\u200cit".encode(), b"x" * 256]
    top = instructor.raw_tree(
        *((FILE, name, bad) for name in names),
        (FOLDER, b".git", hooks),
        (FOLDER, b"..", hooks),
        (FOLDER, b"a\\..\\b", inner),
        (FOLDER, b"inner", inner),
        (MODULE, b"module", bytes(range(20))),
        (0o100664, b"old-git", good),
        (0o060644, b"device", bad),
        (0o010644, b"fifo", bad),
        (0o140755, b"socket", bad),
        (0, b"nothing", bad),
        (LINK, b"link", instructor.blob(b"../../../etc/passwd")),
        (LINK, b"link-empty", instructor.blob(b"")),
        (LINK, b"link-long", instructor.blob(b"x" * 5000)),
        (LINK, b"link-zero", instructor.blob(b"a\0b")),
        (FILE, b"z", good),
    )
    commit = await instructor.push(top)
    async with node(settings(tmp_path, server.url("course"))) as running:
        server.hook(running.webhook)
        ready = await running.until(commit)
        assert {path: content for path, (_, content) in shown(ready).items()} == {
            "a\\..\\b/ok": b"good",
            "inner/ok": b"good",
            "link": b"../../../etc/passwd",
            "module/": b"",
            "old-git": b"good",
            "z": b"good",
        }
        left_out = (await running.course())["left_out"]
        expected = [os.fsdecode(name) for name in names]
        expected += [".git", "..", "inner/..", "inner/ok", "a\\..\\b/..", "a\\..\\b/ok"]
        expected += ["device", "fifo", "socket", "nothing", "link-empty", "link-long", "link-zero"]
        assert sorted(line.split(" ")[0] for line in left_out) == sorted(expected)
        # An unchanged folder is taken over unread: what is left out of it stays known.
        entries = [(one.mode, one.name, one.id) for one in _entries(instructor, top) if one.name != b"z"]
        await running.until(await instructor.push(instructor.raw_tree(*entries, (FILE, b"z", bad))))
        assert sorted((await running.course())["left_out"]) == sorted(left_out)


@pytest.mark.slow
async def test_tree_bomb_is_refused_with_a_sentence(
    tmp_path: Path, server: GitServer, instructor: Instructor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_NODES", 5_000)
    first = await instructor.push({"a": b"1"})
    async with node(settings(tmp_path, server.url("course"))) as running:
        await running.next()
        tree = instructor.tree({"f": b"boom"})
        for _ in range(9):
            tree = instructor.raw_tree(*((FOLDER, b"d%d" % n, tree) for n in range(10)))
        await instructor.push(tree)
        await running.client.hint("c")
        status = await running.until_state("needs_you")
        assert "5,000 files" in status["sentence"] and status["commit"] == first


@pytest.mark.slow
async def test_deep_trees_and_long_paths_are_cut_off(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    deep = instructor.tree({"f": b"deep"})
    for _ in range(200):
        deep = instructor.raw_tree((FOLDER, b"d", deep))
    long = instructor.tree({"f": b"long"})
    for _ in range(20):
        long = instructor.raw_tree((FOLDER, b"n" * 250, long))
    commit = await instructor.push(instructor.raw_tree((FOLDER, b"deep", deep), (FOLDER, b"long", long)))
    async with node(settings(tmp_path, server.url("course"))) as running:
        ready = await running.until(commit)
        assert all(len(os.fsencode(path)) <= LONGEST_PATH for path in shown(ready))
        assert sorted(line.rsplit("/", 1)[-1].split(" ", 1)[1] for line in (await running.course())["left_out"]) == [
            "has too long a path",
            "lies too deep",
        ]


@pytest.mark.slow
async def test_commit_with_a_missing_blob_leaves_the_last_one_ready(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    first = await instructor.push({"a": b"1"})
    async with node(settings(tmp_path, server.url("course"))) as running:
        await running.next()
        # Put where the server's git would never let it in by a push.
        there = Instructor(tmp_path / "there.git", "/nowhere")
        there.repository = pygit2.Repository(str(server.path("course")))
        broken = there.commit(there.raw_tree((FILE, b"a", bytes(20))), first)
        there.repository.references.create("refs/heads/main", broken, force=True)
        await running.client.hint("c")
        status = await running.until_state("needs_you", "offline")
        assert status["commit"] == first


def _entries(instructor: Instructor, tree: bytes) -> list[object]:
    from syncd.git.mirror import Mirror

    return list(Mirror(instructor.path).tree(tree))
