"""From decisions to steps, with contents held in memory."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from syncd.core.entry import BlobId, Entry, Mode, RelPath, Tree, changes_between
from syncd.core.plan import Side, follow_folders, plan
from syncd.merge.resolve import Parties, Resolution, resolve
from syncd.view import Hide, MoveBeside, PutBeside, Stamp, Step, Take, Wait, Write

WHEN = datetime(2026, 11, 22, 14, 3)
STUDENT = Parties(Side.STUDENT)


def instructor(newer: bool) -> Parties:
    return Parties(Side.INSTRUCTOR, "Ada", "Ben", lambda decision: newer)


def entry(text: str, mode: Mode = Mode.FILE) -> Entry:
    content = text.encode()
    return Entry(BlobId(hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()), mode)


@dataclass
class Contents:
    mine_now: dict[str, str]
    blobs: dict[BlobId, bytes] = field(default_factory=dict)

    def mine(self, path: RelPath) -> bytes | None:
        if path not in self.mine_now:
            raise FileNotFoundError(path)
        return self.mine_now[path].encode()

    def blob(self, blob: BlobId) -> bytes | None:
        return self.blobs.get(blob)

    def names(self, folder: RelPath | None) -> Collection[str]:
        prefix = f"{folder}/" if folder else ""
        return {path[len(prefix) :].split("/")[0] for path in self.mine_now if path.startswith(prefix)}


def resolved(
    base: dict[str, str],
    mine: dict[str, str],
    theirs: dict[str, str],
    parties: Parties = STUDENT,
    *,
    moves: dict[str, str] | None = None,
    their_moves: dict[str, str] | None = None,
    busy: Collection[str] = (),
    too_large: Collection[str] = (),
) -> Resolution:
    def tree(files: dict[str, str]) -> Tree:
        return {RelPath(path): entry(text) for path, text in files.items()}

    contents = Contents(mine)
    for text in {*base.values(), *mine.values(), *theirs.values()} - set(too_large):
        contents.blobs[entry(text).blob] = text.encode()
    my, their = changes_between(tree(base), tree(mine)), changes_between(tree(base), tree(theirs))
    paths = {RelPath(new): RelPath(old) for new, old in (moves or {}).items()}
    their_paths = {RelPath(new): RelPath(old) for new, old in (their_moves or {}).items()}
    decisions = plan(my, their, parties.side, paths, their_paths)
    stamps = {path: Stamp(path) for path in my}
    return resolve(decisions, contents, stamps, parties, WHEN, {RelPath(path) for path in busy})


def steps(*arguments: object, **named: object) -> list[Step]:
    return list(resolved(*arguments, **named).steps)  # type: ignore[arg-type]


def test_s3_apart_both_edits_are_in() -> None:
    (step,) = steps({"f": "1\n2\n3\n"}, {"f": "one\n2\n3\n"}, {"f": "1\n2\nthree\n"})
    assert isinstance(step, Write)
    assert (step.path, step.content) == ("f", b"one\n2\nthree\n")


def test_s4_same_line_mine_stays_and_theirs_is_beside() -> None:
    found = resolved({"f": "1\n2\n3\n"}, {"f": "mine\n2\n3\n"}, {"f": "theirs\n2\n3 too\n"})
    write, beside = found.steps
    assert isinstance(write, Write)
    assert write.content == b"mine\n2\n3 too\n"
    assert isinstance(beside, PutBeside)
    assert (beside.path, beside.blob) == ("f (instructor's version 2026-11-22 1403)", entry("theirs\n2\n3 too\n").blob)
    assert found.notes[0].case == "S4"
    assert "line 1" in found.notes[0].sentence


def test_s4_a_content_that_is_beside_already_is_not_put_there_twice() -> None:
    base, theirs = {"f.md": "1\n"}, {"f.md": "theirs\n"}
    mine = {"f.md": "mine\n", "f (instructor's version 2026-11-01 0900).md": "theirs\n"}
    assert steps(base, mine, theirs) == []


def test_s5_binary_mine_stays_and_theirs_is_beside() -> None:
    (step,) = steps({"f": "\0 1"}, {"f": "\0 2"}, {"f": "\0 3"})
    assert isinstance(step, PutBeside)


def test_s12_mine_goes_beside() -> None:
    (step,) = steps({}, {"f.md": "m"}, {"f.md": "t"})
    assert step == MoveBeside(RelPath("f.md"), RelPath("f (my copy 2026-11-22 1403).md"), {RelPath("f.md"): "f.md"})  # type: ignore[dict-item]


def test_s14_my_edit_comes_to_their_name() -> None:
    found = steps({"a": "1\n2\n3\n"}, {"a": "one\n2\n3\n"}, {"n": "1\n2\n3\n"}, their_moves={"n": "a"})
    assert found == [Take(RelPath("a"), Stamp("a")), Write(RelPath("n"), b"one\n2\n3\n", Mode.FILE, None)]


def test_s14_their_edit_and_mine_are_merged_under_their_name() -> None:
    found = steps({"a": "1\n2\n3\n"}, {"a": "one\n2\n3\n"}, {"n": "1\n2\nthree\n"}, their_moves={"n": "a"})
    assert found[1] == Write(RelPath("n"), b"one\n2\nthree\n", Mode.FILE, None)


def test_s14_a_conflict_leaves_theirs_beside_the_new_name() -> None:
    take, write, beside = steps({"a": "1\n"}, {"a": "mine\n"}, {"n": "theirs\n"}, their_moves={"n": "a"})
    assert take == Take(RelPath("a"), Stamp("a"))
    assert write == Write(RelPath("n"), b"mine\n", Mode.FILE, None)
    assert isinstance(beside, PutBeside)
    assert beside.path.startswith("n (instructor's version")


def test_s14_the_same_edit_under_a_new_name_is_just_theirs() -> None:
    assert steps({"a": "1\n"}, {"a": "2\n"}, {"n": "2\n"}, their_moves={"n": "a"}) == [
        Take(RelPath("n"), None),
        Take(RelPath("a"), Stamp("a")),
    ]


def test_s15_their_edit_comes_to_my_name_though_i_changed_nothing() -> None:
    (step,) = steps({"a": "1\n"}, {"m": "1\n"}, {"a": "2\n"}, moves={"m": "a"})
    assert step == Write(RelPath("m"), b"2\n", Mode.FILE, Stamp("m"))


def test_s15_their_edit_too_large_to_hold_goes_beside_my_name() -> None:
    (step,) = steps({"a": "1\n"}, {"m": "1\n"}, {"a": "2\n"}, moves={"m": "a"}, too_large={"2\n"})
    assert isinstance(step, PutBeside)
    assert step.path.startswith("m (instructor's version")


def test_s16_my_name_wins_and_theirs_is_hidden() -> None:
    found = steps({"a": "1\n2\n"}, {"m": "one\n2\n"}, {"n": "1\n2\n3\n"}, moves={"m": "a"}, their_moves={"n": "a"})
    assert Hide(RelPath("n"), RelPath("m")) in found
    assert any(isinstance(step, Write) and step.path == "m" and step.content == b"one\n2\n3\n" for step in found)


def test_s17_my_own_file_follows_its_folder() -> None:
    mine = changes_between({}, {RelPath("d/own"): entry("x")})
    decisions = follow_folders(mine, {RelPath("d"): RelPath("e")}, Side.STUDENT)
    found = resolve(decisions, Contents({"d/own": "x"}), {RelPath("d/own"): Stamp(1)}, STUDENT, WHEN)
    assert list(found.steps) == [MoveBeside(RelPath("d/own"), RelPath("e/own"), {RelPath("d/own"): Stamp(1)})]


def test_s19_a_busy_file_waits_with_its_base() -> None:
    assert steps({"f": "1\n"}, {"f": "2\n"}, {"f": "3\n"}, busy={"f"}) == [Wait(RelPath("f"), entry("1\n"))]


def test_s19_a_busy_file_that_they_renamed_waits_under_both_names() -> None:
    found = steps({"a": "1\n"}, {"a": "2\n"}, {"n": "1\n"}, their_moves={"n": "a"}, busy={"a"})
    assert found == [Wait(RelPath("a"), entry("1\n")), Wait(RelPath("n"), None)]


def test_s19_an_edit_that_stays_anyway_need_not_wait() -> None:
    assert steps({"f": "1\n"}, {"f": "2\n"}, {}, busy={"f"}) == []


def test_i3_mine_is_newer_theirs_is_a_conflicted_copy() -> None:
    (step,) = steps({"f.md": "1\n"}, {"f.md": "m\n"}, {"f.md": "t\n"}, instructor(newer=True))
    assert isinstance(step, PutBeside)
    assert (step.path, step.blob) == ("f (conflicted copy, Ben, 2026-11-22 1403).md", entry("t\n").blob)


def test_i3_theirs_is_newer_mine_is_a_conflicted_copy() -> None:
    beside, write = steps({"f.md": "1\n2\n3\n"}, {"f.md": "m\n2\n3\n"}, {"f.md": "t\n2\n3\n"}, instructor(newer=False))
    assert isinstance(beside, PutBeside)
    assert (beside.path, beside.blob) == ("f (conflicted copy, Ada, 2026-11-22 1403).md", entry("m\n2\n3\n").blob)
    assert isinstance(write, Write)
    assert write.content == b"t\n2\n3\n"


def test_i5_both_created_the_newer_keeps_the_name() -> None:
    (step,) = steps({}, {"f": "m"}, {"f": "t"}, instructor(newer=True))
    assert isinstance(step, PutBeside)


def test_i6_the_folder_keeps_its_name() -> None:
    (step,) = steps({}, {"a/b": "m"}, {"a": "t"}, instructor(newer=True))
    assert isinstance(step, PutBeside)
    assert step.path == "a (conflicted copy, Ben, 2026-11-22 1403)"
