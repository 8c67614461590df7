"""Who is in a course by the hub's groups: on the class's page as it is now, and in the lists that the node reads."""

import asyncio
import os
import stat
from pathlib import Path

import pytest
from playing import PREFIX, Service

from hub_plugin import words
from hub_plugin.courses import Course
from hub_plugin.login import TryAgain
from hub_plugin.members import MembersFiles, let_in
from hub_plugin.rosters import Groups
from syncd.core.errors import NeedsUser
from syncd.node.config import Course as NodeCourse
from syncd.node.members import Members, parse_members
from syncd.node.views import Peer

DS8 = Course("ds8", "https://x/o/r", groups=("course-ds8",), staff_groups=("course-ds8-staff",))
OPEN = Course("open", "https://x/o/open", groups=("course-open",), open_to_all=True)
KIM = {"Authorization": "token kim-token"}


async def page(service: Service) -> str:
    answer = await service.client.get(f"{PREFIX}courses/ds8/", headers=KIM)
    assert answer.status == 200
    return await answer.text()


async def test_who_never_opened_the_course_is_in_the_class(service: Service) -> None:
    service.groups |= {"course-ds8": ["ada", "zoe"], "course-ds8-staff": ["kim"]}
    said = {"course": "ds8", "commit": "c" * 40, "state": "up_to_date"}
    assert await service.post("views", "ada-token", said) == 200
    found = await service.students()
    assert {user: student["state"] for user, student in found.items()} == {"ada": "Up to date", "zoe": "Not yet opened"}
    text = await page(service)
    assert "2 students on the roster; 1 has not opened the course yet." in text
    assert "ccccccc: 1 of 2" in text and "Not yet opened: 1 of 2" in text


async def test_an_open_page_is_told_when_the_roster_changes(service: Service) -> None:
    service.groups |= {"course-ds8": []}
    await service.post("views", "ada-token", {"course": "ds8", "commit": "c" * 40, "state": "up_to_date"})
    version = (await page(service)).partition('data-version="')[2].partition('"')[0]
    async with service.client.get(f"{PREFIX}api/v1/courses/ds8/events?since={version}", headers=KIM) as stream:
        hello = (await stream.content.readuntil(b"\n\n")).decode().partition("data: ")[2].strip()
        await service.client.get(f"{PREFIX}api/v1/courses/ds8/events?heard={hello}", headers=KIM)
        service.groups["course-ds8"] = ["ada", "zoe"]
        async with asyncio.timeout(10):
            event = (await stream.content.readuntil(b"\n\n")).decode()
    assert "event: patch" in event and "<bdi>zoe</bdi>" in event and "Not yet opened" in event


async def test_a_hub_that_lets_no_groups_be_read_is_said_to(service: Service) -> None:
    assert "say just now who is in this course." in await page(service)
    assert await service.students() == {}


async def test_what_was_known_stays_while_the_hub_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{"g": ("ada",)}, None]

    async def ask() -> dict[str, tuple[str, ...]] | None:
        if not answers:
            raise TryAgain("away")
        return answers.pop(0)

    monkeypatch.setattr("hub_plugin.rosters.INTERVAL_S", 0.0)
    monkeypatch.setattr("hub_plugin.rosters._SHARE", 0)
    groups = Groups(ask)
    assert (await groups.look()).document == {"g": ("ada",)}
    assert (await groups.look()).problem == words.ROSTER_UNKNOWN and groups.known is None
    answers.append({"g": ("ben",)})
    await groups.look()
    assert (await groups.look()).problem == "away" and groups.known == {"g": ("ben",)}


def files(folder: Path) -> MembersFiles:
    return MembersFiles(folder, (DS8, OPEN), lambda user: f"jupyter-{user}" if user == "ada" else user, Groups(_never))


async def _never() -> None:
    raise TryAgain("away")


def test_the_node_takes_the_list_and_only_who_is_in_the_groups_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "members"
    names = ["ada", "ben", "eve#kim", "@wheel", "two words", "line\nroot", "a,b", "", "ü"]
    files(folder).keep({"course-ds8": names, "course-ds8-staff": ["kim"], "course-open": ["zoe"], "other": ["mallory"]})
    assert sorted(path.name for path in folder.iterdir()) == ["ds8.members"]
    listed = folder / "ds8.members"
    assert parse_members(listed.read_text()) == ["ben", "jupyter-ada", "kim", "ü"]
    assert stat.S_IMODE(listed.stat().st_mode) == 0o640 and stat.S_IMODE(folder.stat().st_mode) == 0o750
    node, course = Members(own_uid=0), NodeCourse("ds8", "https://x/o/r", members_file=listed)
    before = listed.stat()
    files(folder).keep({"course-ds8": names, "course-ds8-staff": ["kim"]})
    assert listed.stat() == before  # nothing changed, and the node reads nothing again
    assert [node.has(course, Peer(5000, name)) for name in ("ben", "mallory")] == [True, False]
    files(folder).keep({"course-ds8-staff": ["kim"]})
    assert [node.has(course, Peer(5000, name)) for name in ("ben", "kim")] == [False, True]


def test_who_just_got_a_group_is_let_in_before_the_server_starts(tmp_path: Path) -> None:
    let_in(tmp_path, "ada", (DS8, OPEN))
    let_in(tmp_path, "ben", (DS8,))
    assert parse_members((tmp_path / "ds8.members").read_text()) == ["ada", "ben"]
    assert [path.name for path in tmp_path.iterdir()] == ["ds8.members"]


@pytest.mark.skipif(os.getuid() != 0, reason="gives files to a group that it is not in")
def test_the_list_belongs_to_the_folders_group(tmp_path: Path) -> None:
    os.chown(tmp_path, -1, 65534)
    let_in(tmp_path / "members", "ada", (DS8,))
    found = [(tmp_path / "members").stat(), (tmp_path / "members/ds8.members").stat()]
    assert [each.st_gid for each in found] == [65534, 65534]


def test_a_folder_that_everybody_can_write_gets_no_list(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(NeedsUser, match="chmod o-w"):
        let_in(tmp_path, "ada", (DS8,))
    with pytest.raises(NeedsUser, match="can't be written"):
        let_in(tmp_path / "a/b", "ada", (DS8,))
    assert list(tmp_path.iterdir()) == []
