"""`syncd doctor`: each thing that can be wrong is found, said with what to do, and mended where that is safe."""

import asyncio
import json
import mmap
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import READ_TOKEN, TOKEN, Person, wait_until

from syncd.demo.gitserver import GitServer

pytestmark = pytest.mark.slow


@pytest.fixture
async def course(server: GitServer, person: Person) -> Person:
    """A folder of some files, added and published."""
    for name in ("a.txt", "labs/1.ipynb", "labs/2.txt"):
        (person.folder / name).parent.mkdir(exist_ok=True)
        (person.folder / name).write_text("{}" if name.endswith("ipynb") else name * 50)
    token = person.home / "token"
    token.write_text(TOKEN)
    (await person.does("add", person.folder, server.url("ada/course"), "--token-file", token)).check_returncode()
    return person


async def examined(person: Person, *options: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Exit status, and the findings that are not good by their check."""
    done = await person.does("doctor", "--json", *options)
    assert done.returncode in (0, 3), done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] == (done.returncode == 0)
    out: dict[str, list[dict[str, Any]]] = {}
    for each in found["findings"]:
        assert "\n" not in each["sentence"] and TOKEN not in each["sentence"]
        if each["level"] != "good" or each["mended"]:
            out.setdefault(each["check"], []).append(each)
    return done.returncode, out


def own(person: Person) -> Path:
    [path] = (person.state / "folders").iterdir()
    return path


def objects_of(person: Person) -> list[Path]:
    return [path for path in (own(person) / "history.git/objects").glob("??/*") if len(path.name) == 38]


async def test_all_is_well_while_the_publisher_runs(course: Person, server: GitServer) -> None:
    course.publish()
    await course.until_published()
    assert await examined(course) == (0, {})
    done = await course.does("doctor")
    assert "may read and write ada/course" in done.stdout and "just as its history says (3 files)" in done.stdout
    (course.folder / "half.ipynb").write_text("{")
    status, found = await examined(course)
    assert status == 0 and "half.ipynb" in found["contents"][0]["sentence"]


async def test_nothing_set_up_is_no_problem(person: Person) -> None:
    status, found = await examined(person)
    assert status == 0 and "syncd add" in found["state"][0]["sentence"]
    assert not person.state.exists()


def _open_state(person: Person) -> None:
    person.state.chmod(0o755)
    (person.state / "tokens.json").chmod(0o644)


def _lose_objects(person: Person) -> None:
    for number, path in enumerate(objects_of(person)):
        path.unlink()
        if number % 2:
            path.write_bytes(b"spoiled")


def _spoil_objects(person: Person) -> None:
    for path in objects_of(person):
        path.chmod(0o644)
        path.write_bytes(b"spoiled")


def _spoil_ref(person: Person) -> None:
    (own(person) / "history.git/refs/heads/main").write_text("0" * 38 + "08\n")


def _spoil_cache(person: Person) -> None:
    with open(own(person) / "files.sqlite", "r+b") as file:
        file.write(b"no database at all" * 100)


def _leave_lock(person: Person) -> None:
    (own(person) / "history.git/refs/heads/main.lock").touch()


def _leave_aside(person: Person) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    (person.state / f".folders.json.{process.pid}").write_text("half")


def _leave_control(person: Person) -> None:
    (person.state / "control.json").write_text(json.dumps({"url": "http://127.0.0.1:9", "token": "x"}))
    (person.state / "control.json").chmod(0o600)


STORIES = [
    {_lose_objects: ("history", "gets them again from the remote")},
    {_spoil_ref: ("history", "refs that name nothing")},
    {
        _open_state: ("state", "chmod 700"),
        _spoil_cache: ("cache", "made anew"),
        _leave_lock: ("history", "locks"),
        _leave_aside: ("settings", "was killed"),
        _leave_control: ("publisher", "left by a publisher"),
    },
]


@pytest.mark.parametrize("story", STORIES, ids=["objects", "ref", "leftovers"])
async def test_what_is_broken_is_found_and_mended(
    course: Person, server: GitServer, story: dict[Callable[[Person], None], tuple[str, str]]
) -> None:
    for spoil in story:
        spoil(course)
    _, found = await examined(course)
    for check, words in story.values():
        assert any(words in each["sentence"] and each["can_mend"] for each in found[check]), found
    _, mended = await examined(course, "--fix")
    for check, _ in story.values():
        assert mended[check][0]["mended"], mended[check]
    status, after = await examined(course)
    assert [each["sentence"] for each in after.pop("publisher")] == [
        "The publisher does not run; start it: syncd run, or once and for all: syncd service install"
    ]
    assert (status, after) == (3, {})
    (course.folder / "new.txt").write_text("after it all")
    course.publish()
    names = ["a.txt", "labs/1.ipynb", "labs/2.txt", "new.txt"]
    await asyncio.to_thread(wait_until, lambda: listed(server) == names)


def listed(server: GitServer) -> list[str]:
    asked = ["git", "ls-tree", "-r", "--name-only", "main"]
    return subprocess.run(asked, cwd=server.path("ada/course"), capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("spoil", [_lose_objects, _spoil_objects], ids=["lost", "spoiled"])
async def test_a_damaged_history_is_said_with_the_way_to_mend_it(
    course: Person, spoil: Callable[[Person], None]
) -> None:
    spoil(course)
    (course.folder / "a.txt").write_text("saved while the history is damaged")
    process = course.publish()
    status = await course.until_published("needs_you")
    assert "syncd doctor --fix" in status["sentence"], status
    assert (course.folder / "a.txt").read_text() == "saved while the history is damaged"
    course.end(process)
    await examined(course, "--fix")
    course.publish()
    await course.until_published()
    assert (course.folder / "a.txt").read_text() == "saved while the history is damaged"


async def test_what_only_a_person_can_mend_is_said(course: Person, server: GitServer, tmp_path: Path) -> None:
    server.tokens["write"], server.tokens["read"] = {READ_TOKEN}, {TOKEN}
    (course.folder / "a.txt").write_text("<<<<<<< mine\na\n=======\nb\n>>>>>>> theirs\n")
    status, found = await examined(course)
    assert status == 3
    assert "may read ada/course but not write to it. Give a better one: syncd login" in found["remote"][0]["sentence"]
    assert found["contents"][0]["sentence"].startswith("1 file in ")
    assert found["contents"][0]["sentence"].endswith("still is to be published (“a.txt”).")
    for path in course.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (course.state / "settings.json").write_text("{")
    (course.state / "log.txt").write_text(f"oh: {TOKEN}")
    status, found = await examined(course)
    assert "is empty, and 3 files were in it" in found["contents"][0]["sentence"]
    assert "settings" in found["settings"][0]["sentence"] and "plain text" in found["secrets"][0]["sentence"]
    course.folder.rename(course.home / "elsewhere")
    server.tokens["write"] = server.tokens["read"] = {"other"}
    status, found = await examined(course)
    assert "is not there; connect its disk" in found["folders"][0]["sentence"]
    assert "does not accept the token" in found["remote"][0]["sentence"]
    (course.state / "folders.json").write_text("{")
    status, found = await examined(course)
    assert status == 3 and "list of folders" in found["settings"][0]["sentence"]


async def test_a_second_publisher_and_one_that_does_not_answer_are_said(course: Person) -> None:
    process = course.publish()
    await course.until_published()
    (course.home / "second").mkdir(mode=0o700)
    for name in ("folders.json", "tokens.json"):
        shutil.copy(course.state / name, course.home / "second" / name)
    first, course.env["SYNCD_STATE"] = course.env["SYNCD_STATE"], str(course.home / "second")
    _, found = await examined(course)
    assert f"is synced already by process {process.pid}" in found["publisher"][0]["sentence"]
    course.env["SYNCD_STATE"] = first
    (course.state / "control.json").unlink()
    status, found = await examined(course)
    assert status == 3 and f"process {process.pid}" in found["publisher"][0]["sentence"]
    assert "end that process" in found["publisher"][0]["sentence"]


async def test_what_a_publisher_missed_is_found(course: Person) -> None:
    """What is written through a memory map makes no event until that is closed (inotify(7)): only looking tells."""
    course.publish()
    await course.until_published()
    with mapped(course.folder / "a.txt") as content:
        content[:5] = b"other"
        content.flush()
        status, found = await examined(course)
    assert status == 3 and "1 file in" in found["contents"][0]["sentence"]
    assert "a.txt" in found["contents"][0]["sentence"] and "was not taken up" in found["contents"][0]["sentence"]


def mapped(path: Path) -> mmap.mmap:
    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), 0)


async def test_a_folder_that_is_part_of_a_repository_is_compared_with_that_part(
    course: Person, server: GitServer
) -> None:
    part = course.home / "part"
    (await course.does("add", part, server.url("ada/course"), "--subfolder", "labs")).check_returncode()
    assert sorted(path.name for path in part.iterdir()) == ["1.ipynb", "2.txt"]
    (part / "3.txt").write_text("3")
    _, found = await examined(course)
    assert [each["sentence"] for each in found["contents"]] == [f"1 file in {part} still is to be published (“3.txt”)."]
