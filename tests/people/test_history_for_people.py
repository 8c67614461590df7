"""`syncd log`, `versions` and `restore --at`, with the publisher and without it; and who is the author."""

import asyncio
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from commands import TOKEN, Person, one_sentence, wait_until

from syncd.demo.gitserver import GitServer

pytestmark = pytest.mark.slow


def git(server: GitServer, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=server.path("ada/course"), check=True, capture_output=True, text=True
    ).stdout


def publish_by_hand(server: GitServer, place: Path, story: list[tuple[str, dict[str, str | None], str]]) -> None:
    """Commits of a colleague with plain git: when, files, message."""
    place.mkdir()
    who = {f"GIT_{role}_NAME": "Grace \x1b[31mH" for role in ("AUTHOR", "COMMITTER")}
    who |= {f"GIT_{role}_EMAIL": "g@example.org" for role in ("AUTHOR", "COMMITTER")}
    subprocess.run(["git", "init", "-q", "-b", "main", str(place)], check=True)
    for when, files, message in story:
        for name, content in files.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if content is None else path.write_text(content)
        env = os.environ | who | {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        subprocess.run(["git", "add", "-A"], cwd=place, check=True)
        subprocess.run(["git", "commit", "-qm", message], cwd=place, env=env, check=True)
    subprocess.run(["git", "push", "-q", str(server.path("ada/course")), "main"], cwd=place, check=True)


@pytest.fixture
async def course(server: GitServer, person: Person, tmp_path: Path) -> Person:
    """A folder with three days of past, added."""
    now = int(time.time())
    days = [f"{now - n * 86400} +0000" for n in (3, 2, 1)]
    story: list[tuple[str, dict[str, str | None], str]] = [
        (days[0], {"labs/1.txt": "first", "labs/2.txt": "two", "notes": "n"}, "Start"),
        (days[1], {"labs/1.txt": "second"}, "Change a lab"),
        (days[2], {"labs/1.txt": None, "labs/3.txt": "three"}, "Tidy up"),
    ]
    await asyncio.to_thread(publish_by_hand, server, tmp_path / "colleague", story)
    token = person.home / "token"
    token.write_text(TOKEN)
    (await person.does("add", person.folder, server.url("ada/course"), "--token-file", token)).check_returncode()
    return person


async def test_a_log_says_when_who_and_what(course: Person) -> None:
    shown = (await course.does("log", course.folder)).stdout
    assert "\x1b" not in shown
    heads = [line[18:] for line in shown.splitlines() if not line.startswith(" ")]
    assert heads == ["Tidy up", "Change a lab", "Start"]
    assert shown.startswith("yesterday ") and "Grace ?[31mH, " in shown and "labs/1.txt, labs/3.txt" in shown
    found = (await course.asks("log", course.folder / "labs/1.txt"))["log"]
    assert [(each["message"], each["files"]) for each in found] == [
        ("Tidy up", [{"path": "labs/1.txt", "what": "delete"}]),
        ("Change a lab", [{"path": "labs/1.txt", "what": "update"}]),
        ("Start", [{"path": "labs/1.txt", "what": "add"}]),
    ]
    assert [each["message"] for each in (await course.asks("log", course.folder / "notes"))["log"]] == ["Start"]
    assert len((await course.asks("log", course.folder, "-n", "1"))["log"]) == 1
    assert len((await course.does("versions", course.folder / "labs")).stdout.splitlines()) == 3
    assert "none of your synced folders" in one_sentence(await course.does("log", course.home))


@pytest.mark.parametrize("running", [False, True])
async def test_files_and_folders_come_back_as_they_were_at_a_time(
    course: Person, running: bool, server: GitServer
) -> None:
    if running:
        course.publish()
        await course.until_published()
    done = await course.does("restore", course.folder / "labs/1.txt", "--at", "36 hours ago")
    assert done.returncode == 0, done.stderr
    assert (course.folder / "labs/1.txt").read_text() == "second"
    (course.folder / "labs/2.txt").write_text("changed a moment ago")
    done = await course.does("restore", course.folder / "labs", "--at", "60 hours ago")
    assert done.returncode == 0, done.stderr
    then = {"1.txt": "first", "2.txt": "two"}
    assert files_in(course.folder / "labs") == then | {"3.txt": "three"}
    shutil.rmtree(course.folder / "labs")
    (await course.does("restore", course.folder / "labs", "--at", "60 hours ago")).check_returncode()
    assert files_in(course.folder / "labs") == then
    if running:
        assert len((await course.asks("log", course.folder))["log"]) > 3
    else:
        course.publish()
    await asyncio.to_thread(wait_until, lambda: git(server, "ls-tree", "--name-only", "main:labs").split() == [*then])
    # what a restore replaces is among the versions
    assert "changed a moment ago" in await asyncio.to_thread(git, server, "log", "-p", "main")


async def test_times_that_will_not_do_are_said(course: Person) -> None:
    for at, words in [
        ("4 days ago", "kept from so long ago"),
        ("tomorrow 9:00", "yet to come"),
        ("whenever", "not a time"),
    ]:
        assert words in one_sentence(await course.does("restore", course.folder / "notes", "--at", at))
    done = await course.does("restore", course.folder / "labs/3.txt", "--at", "60 hours ago")
    assert "nothing named" in one_sentence(done)
    done = await course.does("restore", course.folder / "notes", "--at", "today", "--original")
    assert "one of them" in one_sentence(done)
    assert (course.folder / "notes").read_text() == "n"


async def test_the_author_is_who_the_person_says(course: Person, server: GitServer) -> None:
    (course.home / ".gitconfig").write_text("[user]\n\tname = Ada Git\n\temail = git@example.org\n")
    process = course.publish()
    (course.folder / "by git").write_text("1")
    await until_author(server, "Ada Git <git@example.org>")
    course.end(process)
    (await course.does("config", "author.name", "Ada Lovelace")).check_returncode()
    course.publish()
    (course.folder / "by us").write_text("1")
    await until_author(server, "Ada Lovelace <git@example.org>")
    assert (await course.asks("config"))["author.name"] == "Ada Lovelace"
    assert "can't be author.email" in one_sentence(await course.does("config", "author.email", "nobody"))


def files_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


async def until_author(server: GitServer, author: str) -> None:
    def is_so() -> bool:
        return git(server, "log", "-1", "--format=%an <%ae>", "main").strip() == author

    await asyncio.to_thread(wait_until, is_so)
