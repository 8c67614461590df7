import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from killing import killed_before

from syncd.core.entry import Mode, RelPath
from syncd.versions import DAY_S, Limits, Version, VersionId, Versions, surplus

A, B = RelPath("lab/a.ipynb"), RelPath("b\udcff\n.txt")


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "versions")


def test_what_is_kept_can_be_listed_and_read(versions: Versions) -> None:
    first = versions.keep(A, b"one", "merged", 1.0)
    second = versions.keep(A, b"two", "restored", 2.0, Mode.EXECUTABLE)
    versions.keep(B, b"", "merged", 3.0)
    assert [(v.id, v.when, v.reason, v.mode, v.size) for v in versions.list(A)] == [
        (second, 2.0, "restored", Mode.EXECUTABLE, 3),
        (first, 1.0, "merged", Mode.FILE, 3),
    ]
    assert [v.path for v in versions.list()] == [B, A, A]
    assert (versions.read(first), versions.read(second)) == (b"one", b"two")


def test_a_store_opened_again_has_the_same(versions: Versions, tmp_path: Path) -> None:
    kept = versions.keep(A, b"one", "merged", 1.0)
    again = Versions(tmp_path / "versions")
    assert again.list(A) == versions.list(A) and again.read(kept) == b"one"


def test_the_newest_is_not_kept_twice_but_an_older_one_is(versions: Versions) -> None:
    for when, content in enumerate([b"one", b"one", b"two", b"one"]):
        versions.keep(A, content, "merged", float(when))
    assert [v.when for v in versions.list(A)] == [3.0, 2.0, 0.0]


def test_nothing_is_there_before_the_first(versions: Versions, tmp_path: Path) -> None:
    assert versions.list() == [] and versions.prune(Limits(), 0.0) == 0
    assert not (tmp_path / "versions").exists()
    with pytest.raises(KeyError):
        versions.read(VersionId("0" * 64))


@pytest.mark.parametrize("cut", range(2, 40, 3))
def test_a_torn_last_line_costs_that_line_only(versions: Versions, tmp_path: Path, cut: int) -> None:
    versions.keep(A, b"one", "merged", 1.0)
    versions.keep(A, b"two", "merged", 2.0)
    index = tmp_path / "versions" / "index"
    os.truncate(index, index.stat().st_size - cut)
    assert [v.when for v in versions.list(A)] == [1.0]
    versions.keep(A, b"three", "merged", 3.0)
    assert [v.when for v in versions.list(A)] == [3.0, 1.0]


def test_a_spoilt_line_is_passed_over(versions: Versions, tmp_path: Path) -> None:
    for when in range(3):
        versions.keep(A, b"%d" % when, "merged", float(when))
    index = tmp_path / "versions" / "index"
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(lines[0] + lines[1].replace(b"merged", b"mangled") + b"\n\xff\xfe\t\n" + lines[2])
    assert [v.when for v in versions.list(A)] == [2.0, 0.0]


def test_a_spoilt_content_is_never_handed_out(versions: Versions, tmp_path: Path) -> None:
    kept = versions.keep(A, b"one", "merged", 1.0)
    path = tmp_path / "versions" / "content" / kept[:2] / kept[2:]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match="damaged"):
        versions.read(kept)


def test_pruning_removes_contents_that_nothing_names(versions: Versions, tmp_path: Path) -> None:
    old = versions.keep(A, b"old", "merged", 0.0)
    shared = versions.keep(A, b"shared", "merged", 1.0)
    newest = versions.keep(A, b"new", "merged", 2.0)
    versions.keep(B, b"shared", "merged", 1.0)
    assert versions.prune(Limits(age_s=DAY_S), 10 * DAY_S) == 2
    with pytest.raises(KeyError):
        versions.read(old)
    assert versions.read(shared) == b"shared" and versions.read(newest) == b"new"
    assert sorted(v.path for v in versions.list()) == sorted([A, B])
    assert len(list((tmp_path / "versions" / "content").glob("*/*"))) == 2


def test_a_kill_at_any_point_loses_nothing_that_was_kept_before(tmp_path: Path) -> None:
    def keep_more() -> None:
        store = Versions(tmp_path / "versions")
        store.keep(A, b"more", "merged", 5.0)
        store.keep(B, b"b", "merged", 5.0)
        store.prune(Limits(age_s=1.0), 1_000.0)

    store = Versions(tmp_path / "versions")
    first, newest = store.keep(A, b"first", "merged", 1.0), store.keep(A, b"newest", "merged", 2.0)
    step = 1
    while killed_before(step, keep_more):
        assert store.read(store.list(A)[0].id) in (b"newest", b"more")
        assert newest in {v.id for v in store.list(A)} or store.list(B), "gone before it was pruned"
        for version in store.list():
            assert len(store.read(version.id)) == version.size
        step += 1
    assert step > 5
    assert store.list(B)
    with pytest.raises(KeyError):
        store.read(first)


def test_several_may_keep_at_once(versions: Versions, tmp_path: Path) -> None:
    def keep(who: int) -> None:
        own = Versions(tmp_path / "versions")
        for number in range(20):
            own.keep(RelPath(f"{who}"), b"%d %d" % (who, number), "merged", float(number))

    threads = [threading.Thread(target=keep, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(versions.list()) == 80


made = st.builds(
    Version,
    path=st.sampled_from([A, B, RelPath("c")]),
    id=st.sampled_from([VersionId(letter * 64) for letter in "abcdef"]),
    when=st.floats(0, 1000),
    reason=st.just("merged"),
    mode=st.just(Mode.FILE),
    size=st.just(10),
    stored=st.just(10),
)


@given(st.lists(made, max_size=12), st.floats(0, 1000), st.integers(0, 100), st.floats(0, 2000))
def test_limits_never_touch_the_newest_and_take_no_more_than_needed(
    versions: list[Version], age_s: float, total: int, now: float
) -> None:
    gone = surplus(versions, Limits(age_s, total), now)
    left = [version for version in versions if version not in gone]
    for path in {version.path for version in versions}:
        newest = max(version.when for version in versions if version.path == path)
        assert any(version.path == path and version.when == newest for version in left)
    for version in left:
        is_newest = not any(o.path == version.path and o.when > version.when for o in left)
        assert is_newest or now - version.when <= age_s
    if gone and all(now - version.when <= age_s for version in gone):
        latest = max(gone, key=lambda version: version.when)
        assert 10 * len({version.id for version in [*left, latest]}) > total
