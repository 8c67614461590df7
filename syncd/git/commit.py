"""One commit: who made it and what it says; and git's own text of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pygit2

from syncd.core.entry import CommitId


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a commit, as git writes it."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, without its tree.  `time` is in seconds since 1970."""

    id: CommitId
    parents: tuple[CommitId, ...]
    author: Author
    time: int
    message: str


def commit_object(tree: bytes, parents: Sequence[CommitId], by: pygit2.Signature, text: str) -> bytes:
    """The content of a commit object that `by` makes."""
    sign, minutes = "-" if by.offset < 0 else "+", abs(by.offset)
    who = f"{by.name} <{by.email}> {by.time} {sign}{minutes // 60:02}{minutes % 60:02}"
    lines = [f"tree {tree.hex()}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}"]
    return "\n".join([*lines, "", text]).encode()
