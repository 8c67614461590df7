"""Files that were listed and not asked for: they cost little, and are as good as any other."""

import os
import stat
import struct
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_commits import BareView, Hands, Store, link
from mounted import Mounted

from fuse_mount.held import Held
from fuse_mount.inode import File
from fuse_mount.kernel import protocol as p
from fuse_mount.kernel.operations import KernelOperations
from fuse_mount.kernel.protocol import Op
from fuse_mount.kernel.session import Request
from fuse_mount.listed import FlatTable
from fuse_mount.nodes import ROOT
from syncd.view import Update

COURSE = {"a": b"one", "lab/b": b"two", "lab/c": b"three", "link": link(b"a")}


@given(st.lists(st.tuples(st.sampled_from([n << 8 for n in range(1, 40)] + list(range(250, 300))), st.booleans())))
def test_a_flat_table_is_as_good_as_a_dict(steps: list[tuple[int, bool]]) -> None:
    table, known = FlatTable(), dict[int, int]()
    for n, (key, put) in enumerate(steps, 1):
        if put:
            table.put(key, n)
            known[key] = n
        else:
            table.remove(key)
            known.pop(key, None)
        assert len(table) == len(known) and table.get(key) == known.get(key, 0)
    assert {key: table.get(key) for key in table} == known


def test_a_flat_table_grows_and_shrinks() -> None:
    table = FlatTable()
    for key in range(1, 5000):
        table.put(key * 37, key)
    assert all(table.get(key * 37) == key for key in range(1, 5000)) and table.get(36) == 0
    for key in range(1, 5000):
        table.remove(key * 37)
        assert table.get(5000 * 37 - 37) == (4999 if key < 4999 else 0)
    assert len(table) == 0 and not list(table)


class Kernel:
    """Asks as the kernel does, and counts what it was told of."""

    def __init__(self, view: BareView) -> None:
        self.overlay = view.overlay
        self.handlers = KernelOperations(view.overlay, Held()).handlers
        self.told: dict[int, int] = {}

    def ask(self, op: Op, node: int, body: bytes) -> bytes:
        reply = self.handlers[op](Request(op, node, 0, 0, 1, memoryview(body)))
        return b"".join(reply) if isinstance(reply, list) else reply or b""

    def list(self, folder: int) -> dict[bytes, int]:
        data, at, found = self.ask(Op.READDIRPLUS, folder, p.READ_IN.pack(0, 0, 1 << 16, 0, 0, 0, 0)), 0, {}
        while at < len(data):
            (ino,) = struct.unpack_from("<Q", data, at)
            _, _, length, _ = p.DIRENT.unpack_from(data, at + p.ENTRY_OUT.size)
            name = data[at + p.ENTRY_OUT.size + p.DIRENT.size :][:length]
            at += p.ENTRY_OUT.size + p.aligned(p.DIRENT.size + length)
            if name not in (b".", b".."):
                found[name] = ino
                self.told[ino] = self.told.get(ino, 0) + 1
        return found

    def forget(self) -> None:
        for ino, count in self.told.items():
            self.ask(Op.FORGET, ino, p.FORGET_IN.pack(count))

    def files(self) -> int:
        return sum(isinstance(node, File) for node in self.overlay.nodes.by_ino.values())


@pytest.fixture
def kernel(view: BareView, store: Store) -> Kernel:
    view.apply(Update(store.commit(COURSE), []))
    return Kernel(view)


def test_a_walk_makes_no_nodes_of_files_and_forgetting_it_leaves_nothing(kernel: Kernel) -> None:
    for _ in range(2):
        kernel.list(kernel.list(ROOT)[b"lab"])
    assert len(kernel.overlay.nodes.listed) == 4 and kernel.files() == 0
    kernel.forget()
    assert len(kernel.overlay.nodes.by_ino) == 1 and len(kernel.overlay.nodes.listed) == 0


def test_a_listed_file_keeps_its_number_when_it_is_looked_up_or_opened(kernel: Kernel) -> None:
    lab = kernel.list(ROOT)[b"lab"]
    listed = kernel.list(lab)
    (found,) = struct.unpack_from("<Q", kernel.ask(Op.LOOKUP, lab, b"b\0"))
    assert found == listed[b"b"]
    kernel.told[found] += 1
    kernel.ask(Op.OPEN, listed[b"c"], p.OPEN_IN.pack(os.O_RDONLY, 0))
    assert kernel.ask(Op.READ, listed[b"c"], p.READ_IN.pack(0, 0, 100, 0, 0, 0, 0)) == b"three"
    kernel.ask(Op.RELEASE, listed[b"c"], p.RELEASE_IN.pack(0, os.O_RDONLY, 0, 0))
    assert kernel.list(lab) == listed
    kernel.forget()
    assert len(kernel.overlay.nodes.by_ino) == 1 and len(kernel.overlay.nodes.listed) == 0


def test_a_listed_file_whose_name_leads_elsewhere_by_now_has_none(
    kernel: Kernel, view: BareView, hands: Hands, store: Store
) -> None:
    lab = kernel.list(ROOT)[b"lab"]
    listed = kernel.list(lab)
    view.observe()
    view.apply(Update(store.commit({**COURSE, "lab/b": b"changed"}), []))
    hands.write("lab/c", b"mine")
    links = {}
    for name, ino in listed.items():
        fields = p.ATTR.unpack_from(kernel.ask(Op.GETATTR, ino, bytes(16)), p.ATTR_OUT.size - p.ATTR.size)
        links[name] = fields[10]
    assert links == {b"b": 0, b"c": 1}, "the changed one is another file; the written one is the same"
    assert kernel.list(lab)[b"b"] != listed[b"b"] and kernel.list(lab)[b"c"] == listed[b"c"]


def test_what_is_listed_again_after_a_switch_is_held_as_cheaply_and_the_old_tree_let_go(
    kernel: Kernel, view: BareView, store: Store
) -> None:
    lab, old = kernel.list(ROOT)[b"lab"], weakref.ref(view.overlay.lower)
    listed = kernel.list(lab)
    view.observe()
    view.apply(Update(store.commit({**COURSE, "lab/new": b"new"}), []))
    kernel.list(ROOT)
    again = kernel.list(lab)
    assert {name: again[name] for name in listed} == listed and set(again) == {*listed, b"new"}
    assert kernel.files() == 0 and old() is None
    kernel.forget()
    assert len(kernel.overlay.nodes.by_ino) == 1 and len(kernel.overlay.nodes.listed) == 0


@pytest.mark.fuse
def test_who_holds_what_was_only_listed_reads_it_after_a_switch(student: Mounted) -> None:
    student.switch({"lab/a": b"1", "lab/b": b"1", "lab/c": b"1"})
    with os.scandir(student.path("lab")) as entries:
        before = {entry.name: entry.inode() for entry in entries}
    held = {name: os.open(student.path(f"lab/{name}"), os.O_PATH) for name in before}
    student.switch({"lab/a": b"22", "lab/b": b"1"})
    assert student.read("lab/a") == b"22" and student.read("lab/b") == b"1" and student.names() == ["lab"]
    for fd in held.values() if student.engine == "kernel" else ():
        assert stat.S_ISREG(os.fstat(fd).st_mode)
        with open(f"/proc/self/fd/{fd}", "rb") as old:
            assert old.read() == b"1"
    if student.engine == "kernel":
        assert os.stat(student.path("lab/b")).st_ino == before["b"] != os.stat(student.path("lab/a")).st_ino
    for fd in held.values():
        os.close(fd)
