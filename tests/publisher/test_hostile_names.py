"""Names that are hard for git, for us or for other systems: each is published or told, and comes back equal."""

import asyncio
import os
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from classroom_side import GIT, Colleague, Course, Publisher, add, everything, fill, git, until

from syncd.core.names import windows_problem

pytestmark = pytest.mark.slow

PUBLISHED: list[bytes] = [
    b"new\nline.txt", b"tab\tand \"quotes\".txt", b"back\\slash", b" starts with a space", b"-rf", b"--", b"*", b"?",
    b"[a]",
    b"$HOME", b"`id`", b"%s", b"x" * 255, "ü".encode() * 127, b"not utf-8 \xff\xfe.txt", b"\xc3\x28 folder\xff/file",
    "caf\u00e9".encode(), "cafe\u0301".encode(), b"lab.txt", b"Lab.txt", b"folder/a", b"Folder/a",
    b"...", b"..a", b".gitattributes", b".gitmodules", b".github/workflow", b"git~10", b"x.git", b"HEAD",
    b"refs/heads/main",
    b"\xe2\x80\xaertl.txt", "\U0001f600".encode(), b"@", b"@{-1}", b":(top)x", b"^", b"a:b",
    b"/".join([b"deep"] * 60) + b"/file",
]  # fmt: skip

WARNED: list[bytes] = [
    b"con",
    b"NUL.txt",
    b"com1.ipynb.txt",
    b"ends with a dot.",
    b"ends with a space ",
    b"a<b>c",
    b"pipe|d",
]
"""Published, and it is said that Windows can't hold them."""

TOLD: list[bytes] = [
    b"git~1", b"GIT~1", b"git~2/x", ".g\u200cit/config".encode(), b".git /config", b".git.",
    b".git::$INDEX_ALLOCATION/x",
]  # fmt: skip
"""They stay out, each with a sentence; plain git refuses such names as well."""

LITTER: list[bytes] = [
    b".git/config",
    b".GIT/config",
    b".ipynb_checkpoints/x.ipynb",
    b".DS_Store",
    b"~$x.docx",
    b"~",
    b"git~",
]
"""Nobody's work; passed over without a word."""


def put(folder: Path, name: bytes, content: bytes) -> None:
    path = os.path.join(os.fsencode(folder), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(content)


def others(folder: Path, outside: Path) -> dict[str, Callable[[], None]]:
    """What is no file: links that lead out stay links, and the rest is passed over."""
    outside.write_text("must not be read")

    def listen() -> None:
        here = os.getcwd()
        os.chdir(folder)  # a socket's path may not be long
        try:
            socket.socket(socket.AF_UNIX).bind("a socket")
        finally:
            os.chdir(here)

    return {
        "link out": lambda: os.symlink(outside, folder / "link out"),
        "link up": lambda: os.symlink("../../../etc/hostname", folder / "link up"),
        "link to itself": lambda: os.symlink("link to itself", folder / "link to itself"),
        "link to nothing \udcff": lambda: os.symlink("no\udcffthing\n", folder / "link to nothing \udcff"),
        "a fifo": lambda: os.mkfifo(folder / "a fifo"),
        "a socket": listen,
    }


def names(raw: list[bytes]) -> list[str]:
    return [os.fsdecode(name) for name in raw]


@pytest.mark.parametrize("before", [True, False], ids=["added with them", "saved later"])
async def test_each_name_is_published_or_told_and_comes_back_equal(
    state: Path, folder: Path, course: Course, tmp_path: Path, before: bool
) -> None:
    fill(folder, {"a.txt": "a"})
    told = [name for name in names([*PUBLISHED, *WARNED]) if any(map(windows_problem, name.split("/")))]

    def make() -> None:
        for name in [*PUBLISHED, *WARNED, *TOLD, *LITTER]:
            put(folder, name, b"# content of " + name)
        for made in others(folder, tmp_path / "outside").values():
            made()

    if before:
        make()
    said = await add(state, folder, course.url)
    if before:
        assert said.count("Windows won't get it") == 3 and f"{len(told) - 3} files more" in said, said
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        if not before:
            make()
        expected = {"a.txt": b"a", **{os.fsdecode(name): b"# content of " + name for name in [*PUBLISHED, *WARNED]}}
        expected |= {
            name: os.fsencode(os.readlink(folder / name)) for name in others(folder, tmp_path / "o") if "link" in name
        }
        await until(
            lambda: course.files() == expected,
            why=lambda: course.files().keys() ^ expected.keys(),
        )
        status = await publisher.up_to_date()
        left_out = {each["path"]: each["sentence"] for each in status["left_out"]}
        for name in names(TOLD):
            assert any(path == name or name.startswith(path + "/") for path in left_out), (name, left_out)
        if not before:
            assert len([each for each in status["warnings"] if "Windows won't get it" in each]) == len(told)
    for name in ("a fifo", "a socket"):  # to read the first would wait for ever
        (folder / name).unlink()
    mine = {name: content for name, content in everything(folder).items() if name in expected}
    assert mine == expected
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    assert everything(colleague.place) == expected
    for name in expected:
        if "link" in name:
            assert stat.S_ISLNK(os.lstat(colleague.place / name).st_mode)
    git(colleague.place, "fsck", "--strict")


async def test_hard_names_of_a_colleague_come_into_the_folder(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, {"a.txt": "a"})
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        for name in [*PUBLISHED, *WARNED]:
            put(colleague.place, name, b"# content of " + name)
        await asyncio.to_thread(colleague.push, {"last.txt": "last"})
        await publisher.steer("resume")
        await until(lambda: everything(folder) == everything(colleague.place))
        await publisher.up_to_date()
    assert course.files() == everything(folder)


def raw_tree(course: Course, entries: list[tuple[str, str, bytes, str]], above: list[bytes]) -> str:
    """A tree object on the server with (mode, kind, content or nothing, name), in folders of these names."""

    def blob(content: bytes) -> str:
        return piped(course, ["hash-object", "-w", "--stdin"], content)

    lines = b"".join(f"{mode} {kind} {blob(content)}\t{name}\n".encode() for mode, kind, content, name in entries)
    tree = piped(course, ["mktree"], lines)
    for name in reversed(above):
        tree = piped(course, ["mktree"], b"040000 tree %s\t%s\n" % (tree.encode(), name))
    return tree


def piped(course: Course, command: list[str], content: bytes) -> str:
    return subprocess.run(
        ["git", *command], cwd=course.path, env=GIT, input=content, check=True, capture_output=True
    ).stdout.decode().strip()  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "above"),
    [
        ([("120000", "blob", b"", "link"), ("100644", "blob", b"x", "file")], []),
        ([("120000", "blob", b"x" * 5000, "link")], []),
        ([("120000", "blob", b"a\0b", "link")], []),
        ([("100644", "blob", b"deep", "file")], [b"d"] * 300),
        ([("100644", "blob", b"deep", "file")], [b"d" * 250] * 20),
    ],
    ids=["link to nothing", "long link", "link with a zero", "deep", "long path"],
)
async def test_what_no_disk_can_hold_is_carried_along_and_keeps_nobody_up(
    state: Path, folder: Path, course: Course, entries: list[tuple[str, str, bytes, str]], above: list[bytes]
) -> None:
    fill(folder, {"a.txt": "a", "link.txt": "l"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        before, tree = course.head(), raw_tree(course, entries, above)
        theirs = piped(
            course, ["mktree"], git(course.path, "ls-tree", str(before)) + f"040000 tree {tree}\tx\n".encode()
        )
        commit = git(course.path, "commit-tree", "-p", str(before), "-m", "Odd", theirs).decode().strip()
        git(course.path, "update-ref", "refs/heads/main", commit)
        await publisher.say("/v1/hint")
        await publisher.until(lambda now: now["state"] == "up_to_date" and now["commit"] == commit)
        fill(folder, {"mine.txt": "go on"})
        await until(lambda: course.head() != commit)
        await publisher.up_to_date()
        assert git(course.path, "rev-parse", "main:x").decode().strip() == tree
        assert everything(folder).keys() - {"x/file"} == {"a.txt", "link.txt", "mine.txt"}
        mended = raw_tree(course, [("120000", "blob", b"a.txt", "link")], [])
        listing = git(course.path, "ls-tree", "main").replace(tree.encode(), mended.encode())
        theirs = piped(course, ["mktree"], listing)
        commit = git(course.path, "commit-tree", "-p", "main", "-m", "Mended", theirs).decode().strip()
        git(course.path, "update-ref", "refs/heads/main", commit)
        await publisher.say("/v1/hint")
        await publisher.until(lambda now: now["state"] == "up_to_date" and now["commit"] == commit)
        assert os.readlink(folder / "x/link") == "a.txt"
        assert everything(folder) == course.files()
