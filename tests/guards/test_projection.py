"""The students' tree of a commit: nothing of staff's is reachable, all else is the same blobs."""

from pathlib import Path

import pygit2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staff_notebooks import code, notebook, sources

from syncd.core.entry import BlobId, CommitId, Entry, Mode, RelPath
from syncd.core.staff import Allowed
from syncd.git.commits import Author, History
from syncd.git.trees import Item, item_of
from syncd.publisher.projection import Projected, Projection, load, project

BY = Author("Ann", "a@example.org")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.git")


def commit(history: History, files: dict[str, bytes | None], parent: CommitId | None = None) -> CommitId:
    edits: dict[RelPath, Item | None] = {}
    for path, content in files.items():
        stored = None if content is None else Entry(history.store_bytes(content), Mode.FILE)
        edits[RelPath(path)] = item_of(stored)
    return history.commit([parent] if parent else [], history.edited(history.tree_id(parent), edits), BY, "x")


def shown(history: History, done: Projected) -> dict[str, bytes]:
    return {path: history.read(entry.blob) for path, entry in history.files(done.tree)}


SECRET = b"x = 1\n### BEGIN SOLUTION\nSECRET\n### END SOLUTION\n"
STUB = b"x = 1\n# YOUR CODE HERE\nraise NotImplementedError()\n"


def test_staff_is_out_solutions_are_replaced_and_all_else_is_the_same(history: History) -> None:
    book = notebook(code("# BEGIN SOLUTION\nSECRET\n# END SOLUTION"))
    made = commit(
        history,
        {
            "lab.py": SECRET,
            "lab.ipynb": book,
            "data.csv": b"1,2\n",
            "private/exam.pdf": b"SECRET",
            "lab.solution.ipynb": b"SECRET",
            ".syncstaff": b"keys/\n",
            "keys/1.txt": b"SECRET",
            "broken.py": b"### BEGIN SOLUTION\nSECRET\n",
            "allowed.py": SECRET,
        },
    )
    done = project(history, made, (Allowed(RelPath("allowed.py"), "solution"),))
    files = shown(history, done)
    assert sources(files.pop("lab.ipynb")) == ["..."]
    assert files == {"lab.py": STUB, "data.csv": b"1,2\n", "allowed.py": SECRET}
    assert list(done.left_out) == ["broken.py"] and "without an END SOLUTION" in done.left_out[RelPath("broken.py")]


def test_links_submodules_modes_and_strange_names_stay_as_they_are(history: History) -> None:
    blob = history.store_bytes(b"lab.py")
    edits = {
        RelPath("link"): item_of(Entry(blob, Mode.SYMLINK)),
        RelPath("run.sh"): item_of(Entry(blob, Mode.EXECUTABLE)),
        RelPath("module"): Item(0o160000, b"\1" * 20),
        RelPath("strange\udcff"): item_of(Entry(blob, Mode.FILE)),
    }
    made = history.commit([], history.edited(None, edits), BY, "x")
    assert project(history, made).tree == history.tree_id(made)


def test_a_second_projection_reads_only_what_changed(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    first = commit(history, {f"d{n}/{m}.py": SECRET + b"%d %d" % (n, m) for n in range(20) for m in range(20)})
    done = project(history, first)
    second = commit(history, {"d3/4.py": SECRET, "private/new": b"SECRET"}, first)
    read: list[BlobId] = []
    real = history.read
    monkeypatch.setattr(history, "read", lambda blob: read.append(blob) or real(blob))
    again = project(history, second, (), done)
    assert len(read) == 1
    monkeypatch.undo()
    assert again == project(history, second)


def test_other_rules_or_another_file_of_patterns_begin_anew(history: History) -> None:
    first = commit(history, {"a.py": b"1", "b.py": b"2", "private/c": b"3", "broken.py": b"### BEGIN SOLUTION\n"})
    done = project(history, first)
    allowed = (Allowed(RelPath("private"), "staff"),)
    assert shown(history, project(history, first, allowed, done)) == {"a.py": b"1", "b.py": b"2", "private/c": b"3"}
    second = commit(history, {".syncstaff": b"b.py\n", "broken.py": None}, first)
    last = project(history, second, (), done)
    assert shown(history, last) == {"a.py": b"1"} and not last.left_out


def test_a_projection_outlives_a_restart_and_a_damaged_note(history: History, tmp_path: Path) -> None:
    note = tmp_path / "projection.json"
    made = commit(history, {"lab.py": SECRET})
    tree = Projection(history, note).of(made, ())
    assert (kept := load(note)) is not None and kept.tree == tree
    note.write_text("{")
    assert Projection(history, note).of(made, ()) == tree


_paths = st.sampled_from(
    ["a.py", "d/a.py", "private", "private/a", "d/Private/b", "a.solution.md", "keys/1", "x.ipynb", "d", ".syncstaff"]
)
_contents = st.sampled_from(
    [b"open", SECRET, b"### BEGIN SOLUTION\nSECRET", notebook(code("# BEGIN SOLUTION\nSECRET\n# END SOLUTION")), None]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(_paths, _contents, min_size=1, max_size=5), min_size=1, max_size=5))
def test_nothing_of_staffs_is_reachable_from_the_students_branch(
    history: History, saves: list[dict[str, bytes | None]]
) -> None:
    head, line, last = None, None, None
    for save in saves:
        named = {path: (b"SECRET" if path.startswith(("private/", "keys/")) else what) for path, what in save.items()}
        named[".syncstaff"] = b"keys/\n"
        head = commit(history, {path: what for path, what in named.items() if not _clash(path, named)}, head)
        done = project(history, head, (), last)
        assert done == project(history, head)
        last = done
        line = history.commit([line] if line else [], done.tree, BY, "for students")
    assert line is not None
    repository = pygit2.Repository(str(history.path))
    for each in repository.walk(line):
        assert all("for students" in parent.message for parent in each.parents)
        for path, entry in history.files(history.tree_id(CommitId(str(each.id)))):
            assert not path.lower().startswith(("private/", "d/private/", "keys/")) and ".solution." not in path
            assert b"SECRET" not in history.read(entry.blob)


def _clash(path: str, others: dict[str, bytes | None]) -> bool:
    return any(other.startswith(path + "/") for other in others)
