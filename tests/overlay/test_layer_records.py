"""The records of a layer: what they mean, and that a log gives them back after anything."""

from pathlib import Path

import pytest

from fuse_mount.layer import Change, Layer, Origin
from fuse_mount.record_log import RecordLog
from syncd.core.entry import BlobId, Entry, Mode, RelPath

BLOB = BlobId("5" * 40)
TABLE: list[tuple[list[Change], set[bytes], dict[bytes, bytes]]] = [
    ([("hide", "a")], {b"a"}, {}),
    ([("hide", "a"), ("show", "a")], set(), {}),
    ([("hide", "a/b"), ("hide", "a")], {b"a"}, {}),
    ([("hide", "a/b"), ("hide-own", "a")], {b"a", b"a/b"}, {}),
    ([("hide", "ab"), ("clear", "a")], {b"ab"}, {}),
    ([("redirect", "m", "a")], set(), {b"m": b"a"}),
    ([("hide", "m"), ("redirect", "m", "a"), ("hide", "m")], {b"m"}, {}),
    ([("hide", "a/x"), ("redirect", "a/r", "l"), ("move", "a", "b")], {b"b/x"}, {b"b/r": b"l"}),
    ([("hide", "a/x"), ("hide", "b/y"), ("swap", "a", "b")], {b"b/x", b"a/y"}, {}),
    ([("hide", "caf\udce9")], {b"caf\xe9"}, {}),
]


def no_entry(path: bytes) -> int:
    return 0


@pytest.mark.parametrize(("changes", "hidden", "redirects"), TABLE)
def test_changes_mean_what_they_say(changes: list[Change], hidden: set[bytes], redirects: dict[bytes, bytes]) -> None:
    layer = Layer()
    layer.fold(changes)
    assert layer.hidden == hidden and layer.redirects == redirects


def test_a_state_written_out_is_the_same_state() -> None:
    layer = Layer()
    layer.fold([("hide", "a"), ("redirect", "m", "n"), ("base", "1" * 40, "token"), ("wait", "w", None)])
    layer.fold([("wait", "v", BLOB, 0o100755), ("origin", "o", "was", BLOB, 0o100644, 17)])
    again = Layer()
    again.fold(layer.changes())
    assert again == layer
    assert again.origins[b"o"] == Origin(RelPath("was"), Entry(BLOB, Mode.FILE), 17)
    assert again.waiting == {"w": None, "v": Entry(BLOB, Mode.EXECUTABLE)}


def test_an_unknown_record_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="unknown record"):
        Layer().fold([("explode", "a")])


def test_a_log_gives_back_what_was_appended(tmp_path: Path) -> None:
    log = RecordLog(tmp_path / "log", no_entry)
    log.append([("hide", "a"), ("hide", "b\nc")])
    log.append([("show", "a")])
    # Not closed: the process was killed.
    again = RecordLog(tmp_path / "log", no_entry)
    assert again.layer.hidden == {b"b\nc"}
    again.close()


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_tail_was_never_acknowledged(tmp_path: Path, cut: int) -> None:
    log = RecordLog(tmp_path / "log", no_entry)
    log.append([("hide", "a")])
    whole = (tmp_path / "log").read_bytes()
    log.append([("hide", "b"), ("hide", "c"), ("hide", "a name that is long enough to be cut")])
    torn = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(torn[: max(len(whole), len(torn) - cut)])
    again = RecordLog(tmp_path / "log", no_entry)
    assert again.layer.hidden == {b"a"}
    again.append([("hide", "d")])
    assert RecordLog(tmp_path / "log", no_entry).layer.hidden == {b"a", b"d"}


def test_a_damaged_record_is_left_out_and_the_log_kept(tmp_path: Path) -> None:
    log = RecordLog(tmp_path / "log", no_entry)
    for name in ("a", "b", "c"):
        log.append([("hide", name)])
    damaged = (tmp_path / "log").read_bytes().replace(b'["hide","b"]', b'["hide","x"]')
    (tmp_path / "log").write_bytes(damaged)
    assert RecordLog(tmp_path / "log", no_entry).layer.hidden == {b"a", b"c"}
    assert (tmp_path / "log.damaged").read_bytes() == damaged


@pytest.mark.parametrize("happened", [True, False])
def test_a_rename_cut_off_is_settled_by_what_lies_there(tmp_path: Path, happened: bool) -> None:
    log = RecordLog(tmp_path / "log", no_entry)
    log._write(["try", "new", 42, [["hide", "old"]]])
    again = RecordLog(tmp_path / "log", lambda path: 42 if path == b"new" and happened else 0)
    assert again.layer.hidden == ({b"old"} if happened else set())


def test_a_rename_that_fails_leaves_no_record(tmp_path: Path) -> None:
    log = RecordLog(tmp_path / "log", no_entry)

    def fails() -> None:
        raise OSError(28, "no space")

    with pytest.raises(OSError, match="no space"):
        log.attempt(b"new", 42, [("hide", "old")], fails)
    assert log.layer.hidden == set()
    log.append([("hide", "other")])
    assert RecordLog(tmp_path / "log", lambda path: 42).layer.hidden == {b"other"}


def test_what_is_appended_during_a_flush_is_for_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = RecordLog(tmp_path / "log", no_entry)
    log.append([("hide", "a")])
    flushes: list[int] = []

    def flush(fd: int) -> None:
        flushes.append(fd)
        if len(flushes) == 1:
            log.append([("hide", "b")])

    monkeypatch.setattr("os.fdatasync", flush)
    for flushed in (1, 2, 2):
        log.sync()
        assert len(flushes) == flushed
    monkeypatch.undo()
    log.close()
