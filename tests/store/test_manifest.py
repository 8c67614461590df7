"""The mapped manifest: what is written is read, and two are compared like two trees."""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.entry import BlobId, CommitId, Entry, Mode, RelPath, changes_between, inside
from syncd.manifest import FOLDER, Manifest, Node, difference, write_manifest

COMMIT = CommitId("ab" * 20)
NAMES = st.sampled_from(["a", "b", "c", "Ä", "z z", "\udcff", ".x"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: RelPath("/".join(names)))
ENTRIES = st.builds(
    Entry, st.binary(max_size=2).map(lambda b: BlobId(hashlib.sha1(b).hexdigest())), st.sampled_from(list(Mode))
)


@st.composite
def trees(draw: st.DrawFn) -> dict[RelPath, Entry]:
    found = draw(st.dictionaries(PATHS, ENTRIES, max_size=12))
    return {p: e for p, e in found.items() if not any(inside(other, p) for other in found)}


def node(name: bytes, tree: dict[RelPath, Entry]) -> Node:
    children = []
    for first in sorted({path.split("/")[0] for path in tree}):
        if RelPath(first) in tree:
            entry = tree[RelPath(first)]
            children.append(Node(os.fsencode(first), entry.mode, bytes.fromhex(entry.blob), 7, 9))
        else:
            below = {RelPath(p.split("/", 1)[1]): e for p, e in tree.items() if p.split("/")[0] == first}
            children.append(node(os.fsencode(first), below))
    oid = hashlib.sha1(repr([(c.name, c.mode, c.id) for c in children]).encode()).digest()
    return Node(name, FOLDER, oid, children=children)


def written(folder: str | Path, tree: dict[RelPath, Entry]) -> Manifest:
    path = Path(folder) / "manifest"
    write_manifest(path, COMMIT, node(b"", tree), 5)
    return Manifest(path)


@settings(max_examples=60, deadline=None)
@given(trees())
def test_a_tree_is_read_back_as_it_was(tree: dict[RelPath, Entry]) -> None:
    with TemporaryDirectory() as folder:
        manifest = written(folder, tree)
        assert manifest.commit == COMMIT
        assert manifest.tree() == tree
        assert all(manifest.entry(path) == entry for path, entry in tree.items())
        assert manifest.entry(RelPath("no such/file")) is None
        assert manifest.child(0, b"missing") is None


@settings(max_examples=60, deadline=None)
@given(trees(), trees())
def test_the_difference_of_two_manifests_is_that_of_their_trees(
    old: dict[RelPath, Entry], new: dict[RelPath, Entry]
) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        assert difference(written(one, old), written(other, new)) == changes_between(old, new)
        assert difference(None, written(other, new)) == changes_between({}, new)


def test_a_manifest_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    manifest = written(tmp_path, {RelPath("a/b"): Entry(BlobId("0" * 40), Mode.FILE)})
    whole = manifest.path.read_bytes()
    for length in (10, 60, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"is not a manifest|is cut short"):
            Manifest(tmp_path / "cut")
