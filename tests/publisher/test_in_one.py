"""A push that is refused for what lies in between goes as one commit, whatever is killed meanwhile."""

from pathlib import Path

import pytest
from classroom_side import everything, fill

from syncd.core.entry import CommitId
from syncd.core.errors import Refused
from syncd.core.settle import Due
from syncd.git.commits import Author
from syncd.publisher.in_one import InOne
from syncd.publisher.local import Local
from syncd.publisher.worker import Worker
from syncd.publisher.workspace import Workspace

EVERYTHING = Due(frozenset(), True, frozenset())


class Killed(BaseException):
    pass


@pytest.mark.parametrize("saved_meanwhile", [False, True])
async def test_killed_after_the_remote_took_it_it_goes_on_from_there(tmp_path: Path, saved_meanwhile: bool) -> None:
    folder = tmp_path / "folder"
    fill(folder, {"a": "1"})
    here = Workspace(folder, tmp_path / "own", "main", Author("Ida", "ida@example.org"))
    local, disk = Local(here), Worker("disk")
    heads: list[CommitId] = []
    for files in ({"a": "1"}, {"large": "refused", "n": "1"}, {"n": "2"}):
        fill(folder, dict(files))
        (folder / "large").unlink() if "large" not in files and (folder / "large").exists() else None
        made = local.take_up(EVERYTHING).commit
        assert made is not None
        heads.append(made)
    remote = [heads[0]]

    async def send(commit: CommitId) -> None:
        if here.history.contains(commit, heads[1]):
            raise Refused("too large")
        remote.append(commit)
        raise Killed

    with pytest.raises(Killed):
        await InOne(here, disk, send).push(heads[0], heads[2])
    assert here.head == heads[2]
    if saved_meanwhile:
        fill(folder, {"n": "3"})
        local.take_up(EVERYTHING)
    InOne(here, disk, send).go_on(remote[-1])
    taken = local.take_in(remote[-1])
    assert taken.notes == () and here.head is not None
    assert not here.history.contains(here.head, heads[1]) and here.history.contains(here.head, remote[-1])
    assert (here.head == remote[-1]) is not saved_meanwhile
    assert everything(folder) == {"a": b"1", "n": b"3" if saved_meanwhile else b"2"}
    assert here.history.refs("refs/refused/") and not here.history.refs("refs/sent-in-one")
    disk.close()
    here.close()
