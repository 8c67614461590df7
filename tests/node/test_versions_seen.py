"""What people are told of the versions that came: which, in which order, and with whose words."""

from pathlib import Path

from courses import Instructor, node, settings

from syncd.demo.gitserver import GitServer
from syncd.git.mirror import Mirror
from syncd.node.versions_seen import read, said, with_new


class Authors(Instructor):
    """People who commit into one repository, nothing of which is pushed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "https://nowhere.example/x")
        self.mirror = Mirror(folder)

    def save(self, time: int, *parents: str) -> str:
        return self.commit(self.tree({"a": str(time).encode()}), *parents, time=time)


def test_what_came_together_is_listed_one_by_one_and_counted(tmp_path: Path) -> None:
    authors = Authors(tmp_path / "r")
    first = authors.save(10)
    seen = with_new((), authors.mirror, first)
    assert [(one.commit, one.number, one.time, one.message) for one in seen] == [(first, 1, 10.0, "A save")]
    second = authors.save(20, first)
    third = authors.save(30, second)
    seen = with_new(seen, authors.mirror, third)
    assert [(one.commit, one.number) for one in seen] == [(third, 3), (second, 2), (first, 1)]
    assert with_new(seen, authors.mirror, third) == seen == read(said(seen))


def test_a_merge_brings_both_sides_by_their_time(tmp_path: Path) -> None:
    authors = Authors(tmp_path / "r")
    base = authors.save(10)
    theirs = authors.save(20, base)
    seen = with_new(with_new((), authors.mirror, base), authors.mirror, theirs)
    mine = authors.save(15, base)
    later = authors.save(25, mine)
    merged = authors.save(30, later, theirs)
    seen = with_new(seen, authors.mirror, merged)
    assert [(one.commit, one.number) for one in seen] == [
        *((merged, 5), (later, 4), (mine, 3)),
        *((theirs, 2), (base, 1)),
    ]


def test_of_a_history_that_was_rewritten_the_tip_alone_is_new(tmp_path: Path) -> None:
    authors = Authors(tmp_path / "r")
    seen = with_new((), authors.mirror, first := authors.save(10))
    other = authors.save(40, authors.save(35, authors.save(30)))
    seen = with_new(seen, authors.mirror, other)
    assert [(one.commit, one.number) for one in seen] == [(other, 2), (first, 1)]
    back = with_new(seen, authors.mirror, first)
    assert [(one.commit, one.number) for one in back] == [(first, 3), (other, 2), (first, 1)]


def test_a_long_list_keeps_the_newest_and_goes_on_counting(tmp_path: Path) -> None:
    authors = Authors(tmp_path / "r")
    seen = with_new((), authors.mirror, head := authors.save(1))
    for time in range(2, 60):
        head = authors.save(time, head)
    seen = with_new(seen, authors.mirror, head)
    assert [one.number for one in seen] == list(range(59, 39, -1))


async def test_a_node_tells_what_came_also_after_a_restart(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    first = await instructor.push({"a": b"1"})
    async with node(settings(tmp_path, server.url("course"))) as running:
        server.hook(running.webhook)
        await running.until(first)
        second = await instructor.push({"a": b"2"}, time=1_700_000_100)
        await running.until(second)
    async with node(settings(tmp_path, server.url("course"))) as running:
        await running.until(second)
        recent = (await running.course())["recent"]
        assert [(one["commit"], one["number"], one["message"]) for one in recent] == [
            (second, 2, "A save"),
            (first, 1, "A save"),
        ]
