"""What a remote shows at one moment."""

from collections.abc import Iterable
from dataclasses import dataclass

from syncd.core.entry import CommitId

BRANCH, TAG = "refs/heads/", "refs/tags/"


@dataclass(frozen=True, slots=True)
class Shown:
    """Branches with their commits, and tags with the objects that they name: of an annotated one, the tag itself."""

    branches: dict[str, CommitId]
    tags: dict[str, str]
    default_branch: str | None


def shown(refs: Iterable[tuple[str, str]], default_branch: str | None) -> Shown:
    """Of refs by their full names, with the objects' ids."""
    out = Shown({}, {}, default_branch)
    for ref, id in refs:
        if ref.startswith(BRANCH):
            out.branches[ref.removeprefix(BRANCH)] = CommitId(id)
        elif ref.startswith(TAG) and not ref.endswith("^{}"):
            out.tags[ref.removeprefix(TAG)] = id
    return out
