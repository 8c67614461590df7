"""The local history: trees built from changed paths are those that git would build."""

import os
import resource
import subprocess
import tempfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.core.entry import BlobId, Entry, Mode, RelPath, changes_between
from syncd.core.errors import Stop
from syncd.git.commits import Author, CommitId, History
from syncd.git.trees import FOLDER, GITLINK, Item, format_tree, item_of, parse_tree
from syncd.publisher.words import merged, message

IDA = Author("Ida", "ida@example.org")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.git")


def git(history: History, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=history.path, capture_output=True, check=True)
    return done.stdout.decode(errors="surrogateescape")


def make(history: History, files: dict[str, bytes], *parents: CommitId, message: str = "A save") -> CommitId:
    edits = {RelPath(path): Entry(history.store_bytes(content), Mode.FILE) for path, content in files.items()}
    tree = history.edited(None, {path: item_of(entry) for path, entry in edits.items()})
    return history.commit(parents, tree, IDA, message, 1_700_000_000)


names = st.sampled_from(["a", "b", "a.txt", "a-b", "a0", "é", "B", os.fsdecode(b"\xff")])
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: RelPath("/".join(parts)))
entries = st.builds(Entry, st.sampled_from([BlobId(c * 40) for c in "123"]), st.sampled_from(list(Mode)))


def placed(tree: dict[RelPath, Entry], path: RelPath, entry: Entry | None) -> None:
    """What an edit does to a flat tree: a file takes the place of a folder, and of files where folders are needed."""
    if entry is None:
        tree.pop(path, None)
        return
    for other in list(tree):
        if other.startswith(path + "/") or path.startswith(other + "/"):
            del tree[other]
    tree[path] = entry


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(paths, st.none() | entries, max_size=6), min_size=1, max_size=4))
def test_edits_give_the_tree_that_the_flat_model_gives(steps: list[dict[RelPath, Entry | None]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        history = History(Path(place) / "h.git")
        model: dict[RelPath, Entry] = {}
        tree = None
        for step in steps:
            clean: dict[RelPath, Entry] = {}
            for path, entry in step.items():
                if entry is not None:
                    placed(clean, path, entry)
            edits: dict[RelPath, Entry | None] = {path: None for path, entry in step.items() if entry is None}
            edits = {path: None for path in edits if not any(path.startswith(p + "/") for p in clean)} | dict(clean)
            for path, entry in sorted(edits.items(), key=lambda item: item[1] is not None):
                placed(model, path, entry)
            tree = history.edited(tree, {path: item_of(entry) for path, entry in edits.items()})
            assert dict(history.files(tree)) == model
        commit = history.commit([], tree, IDA, "x", 0)
        listed = git(history, "ls-tree", "-r", "-z", commit).split("\0")[:-1]
        assert {line.split("\t", 1)[1] for line in listed} == set(model)
        subprocess.run(["git", "read-tree", commit], cwd=history.path, check=True)
        assert (
            git(history, "write-tree", "--missing-ok").strip()
            == git(history, "rev-parse", f"{commit}^{{tree}}").strip()
        )


def test_no_edits_leave_the_tree_as_it_is(history: History) -> None:
    commit = make(history, {"a": b"1", "b/c": b"2"})
    assert history.edited(history.tree_id(commit), {}) == history.tree_id(commit)


def test_a_commit_reads_and_writes_only_the_folders_above_a_change(history: History) -> None:
    tree = history.edited(None, {RelPath(f"{n % 50}/{n % 7}/{n}"): Item(0o100644, bytes(20)) for n in range(3000)})
    before = int(git(history, "count-objects").split()[0])
    history.edited(tree, {RelPath("3/4/new"): Item(0o100644, bytes(20))})
    assert int(git(history, "count-objects").split()[0]) - before == 3


def test_the_same_bytes_as_git_for_odd_trees() -> None:
    items = {b"a": Item(FOLDER, bytes(20)), b"a.b": Item(0o100644, b"1" * 20), b"a0": Item(GITLINK, b"2" * 20)}
    assert parse_tree(format_tree(items)) == items
    assert [name for name in parse_tree(format_tree(items))] == [b"a.b", b"a", b"a0"]


def test_changes_between_commits_are_those_of_the_flat_trees(history: History) -> None:
    one = make(history, {"a": b"1", "b/c": b"2", "b/d": b"3", "e/f/g": b"4", "h": b"5"})
    two = make(history, {"a": b"1", "b": b"now a file", "e/f/g": b"other", "e/f/h/i": b"6", "h/j": b"7"})
    flat = [dict(history.files(history.tree_id(commit))) for commit in (one, two)]
    assert history.changes(one, two) == changes_between(*flat)
    assert history.changes(None, two) == changes_between({}, flat[1])
    assert history.changes(two, None) == changes_between(flat[1], {})
    assert history.changes(one, one) == {}


def test_submodules_are_no_files_but_differences(history: History) -> None:
    tree = history.edited(None, {RelPath("sub"): Item(GITLINK, b"1" * 20), RelPath("a"): Item(0o100664, b"2" * 20)})
    assert dict(history.files(tree)) == {"a": Entry(BlobId((b"2" * 20).hex()), Mode.FILE)}
    assert {path for path, _, _ in history.differences(None, tree)} == {"sub", "a"}


def test_merge_base_log_and_parents(history: History) -> None:
    root = make(history, {"a": b"1"}, message="root")
    left, right = make(history, {"a": b"2"}, root), make(history, {"a": b"3"}, root)
    both = make(history, {"a": b"4"}, left, right, message="both")
    other = make(history, {"z": b"1"}, message="elsewhere")
    assert history.merge_base(left, right) == root and history.merge_base(both, other) is None
    assert history.contains(both, left) and history.contains(both, None) and not history.contains(left, both)
    assert not history.contains(None, root) and not history.contains(left, CommitId("1" * 40))
    assert {commit.id for commit in history.log(both)} == {root, left, right, both}
    assert history.look_up(both).parents == (left, right)
    assert history.log(both, 1)[0].author == IDA


def test_the_time_of_the_commit_that_changed_a_path(history: History) -> None:
    def at(files: dict[str, bytes], when: int, *parents: CommitId) -> CommitId:
        edits = {RelPath(p): Item(0o100644, bytes.fromhex(history.store_bytes(c))) for p, c in files.items()}
        return history.commit(parents, history.edited(None, edits), IDA, "x", when)

    one = at({"a": b"1", "b": b"1"}, 1000)
    two = at({"a": b"2", "b": b"1"}, 2000, one)
    three = at({"a": b"2", "b": b"2"}, 3000, two)
    assert history.changed_at(RelPath("a"), None, three) == 2000
    assert history.changed_at(RelPath("b"), one, three) == 3000
    assert history.changed_at(RelPath("a"), None, one) == 1000


@pytest.mark.slow
def test_a_large_content_is_not_held_in_memory(history: History, tmp_path: Path) -> None:
    path = tmp_path / "big"
    with open(path, "wb") as out:
        for _ in range(60):
            out.write(os.urandom(1 << 10) * (1 << 10))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open(path, "rb") as source:
        blob = history.store(source)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    assert git(history, "hash-object", "--no-filters", str(path)).strip() == blob
    assert history.has(blob) and history.size(blob) == 60 << 20
    assert grown < 40


@pytest.mark.parametrize("size", [0, 1, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (5 << 20) + 7])
def test_contents_of_all_sizes_are_kept(history: History, size: int) -> None:
    content = os.urandom(min(size, 1000)) + bytes(max(0, size - 1000))
    assert history.read(history.store(BytesIO(content))) == content


def test_names_of_people_and_messages_are_made_safe(history: History) -> None:
    commit = history.commit([], None, Author("Ida <x>\n", ""), "caf\udce9", 0)
    assert "Ida x" in git(history, "log", "-1", "--format=%an <%ae> %s", commit)


def test_what_a_killed_process_left_blocks_nothing(history: History) -> None:
    one, two = make(history, {"a": b"1"}), make(history, {"a": b"2"})
    history.set_head("main", one)
    (history.path / "refs/heads/main.lock").touch()
    (history.path / "packed-refs.lock").touch()
    (history.path / "objects/pack/pack_git2_abc").write_bytes(b"half a pack")
    again = History(history.path)
    again.set_head("main", two)
    assert again.head("main") == two
    assert not list((history.path / "objects/pack").iterdir())


def test_a_history_that_is_none_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "h.git").mkdir()
    (tmp_path / "h.git/HEAD").write_text("nonsense")
    with pytest.raises(Stop, match="can't be read"):
        History(tmp_path / "h.git")


def _entry(c: str) -> Entry:
    return Entry(BlobId(c * 40), Mode.FILE)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"lab/lab03.ipynb": "1"}, {"lab/lab03.ipynb": "2"}, "Update lab 3"),
        (
            {"lab/lab03.ipynb": "1"},
            {"lab/lab03.ipynb": "2", "lab/data/a.csv": "3", "lab/data/b.TSV": "4"},
            "Update lab 3, add 2 data files",
        ),
        ({}, {"data.csv": "1"}, "Add data.csv"),
        ({}, {"a.png": "1", "b.jpg": "2", "c.csv": "3", "d.csv": "4", "e": "5"}, "Add e, 2 data files and 2 images"),
        ({}, {f"hw_{n}.ipynb": f"{n}" for n in range(1, 4)}, "Add hw 1, hw 2 and hw 3"),
        ({}, {f"hw_{n}.ipynb": f"{n}" for n in range(1, 6)}, "Add 5 notebooks"),
        ({}, {**{f"{n}.csv": f"{n}" for n in range(5)}, **{f"{n}.py": f"{n}" for n in range(5, 9)}}, "Add 9 files"),
        ({}, {"a/lab1.ipynb": "1", "b/lab01.ipynb": "2"}, "Add lab1.ipynb and lab01.ipynb"),
        ({}, {"Sampling.ipynb": "1", "2026.ipynb": "2"}, "Add 2026.ipynb and Sampling.ipynb"),
        ({"a": "1", "b": "1"}, {"c": "1", "d": "1"}, "Rename a to c and b to d"),
        ({f"a{n}": f"{n}" for n in range(5)}, {f"b{n}": f"{n}" for n in range(5)}, "Rename 5 files"),
        (
            {"x": "1", "notes.txt": "2"},
            {"x": "3", **{f"d/{n}": f"{n}" for n in range(4, 8)}},
            "Update x, add 4 files, delete notes.txt",
        ),
        ({}, {"a": "1", "b": "2"}, "Add a and b"),
        ({"a": "1", "b": "2", "c": "3"}, {}, "Delete a, b and c"),
        ({"a": "1"}, {"lab/b": "1"}, "Rename a to b"),
        ({}, {}, "No change"),
        ({}, {"bad\nname": "1"}, "Add bad?name"),
    ],
)
def test_commits_say_in_words_what_they_do(before: dict[str, str], after: dict[str, str], words: str) -> None:
    was, now = ({RelPath(path): _entry(c) for path, c in tree.items()} for tree in (before, after))
    assert message(changes_between(was, now)) == words


def test_a_merge_names_whose_changes_it_takes_in() -> None:
    assert merged("Cora", changes_between({}, {RelPath("a"): _entry("1")})) == "Take in the changes of Cora: add a"
    assert merged("", {}) == "Take in the changes of somebody else"


def test_many_objects_become_one_pack_that_git_reads(history: History) -> None:
    contents = [
        b"",
        b"x",
        *(f"content {n}\n".encode() * (n % 40) for n in range(300)),
        bytes(100_000),
        os.urandom(70_000),
    ]
    with history.bulk():
        blobs = [history.store(BytesIO(content)) for content in contents]
        again = [history.store_bytes(content) for content in contents]
        large = history.store(BytesIO(bytes(5 << 20)))
        assert history.has(blobs[7]) and blobs == again
        edits = {RelPath(f"{n % 9}/{n}"): item_of(Entry(blob, Mode.FILE)) for n, blob in enumerate([*blobs, large])}
        tree = history.edited(None, edits)
    commit = history.commit([], tree, IDA, "x", 0)
    assert [history.read(blob) for blob in blobs] == contents
    git(history, "fsck", "--strict", "--full")
    [pack] = (history.path / "objects/pack").glob("*.idx")
    git(history, "verify-pack", str(pack))
    assert git(history, "cat-file", "-p", f"{commit}:1/1") == "x"
    assert int(git(history, "count-objects").split()[0]) == 2  # the large blob and the commit


def test_few_objects_need_no_pack(history: History) -> None:
    with history.bulk():
        blob = history.store(BytesIO(b"one"))
    assert history.read(blob) == b"one" and not list((history.path / "objects/pack").iterdir())


def test_what_failed_leaves_nothing(history: History) -> None:
    with pytest.raises(ZeroDivisionError), history.bulk():
        blobs = [history.store_bytes(f"{n}".encode()) for n in range(100)]
        raise ZeroDivisionError
    assert not any(history.has(blob) for blob in blobs)
    assert not list((history.path / "objects/pack").iterdir())
