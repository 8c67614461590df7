"""Remote over ssh (by a stand-in that runs the far end here) and on local paths."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pygit2
import pytest
from real_git import commit, remote

from syncd.core.errors import NeedsUser, Refused, TryAgain
from syncd.git.remote import Behind, NoBranch

_SSH = '#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n'


@pytest.fixture
def far(tmp_path: Path) -> Path:
    pygit2.init_repository(str(tmp_path / "far.git"), bare=True, initial_head="main")
    return tmp_path / "far.git"


@pytest.fixture
def by_ssh(tmp_path: Path, far: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    ssh = tmp_path / "ssh"
    ssh.write_text(_SSH)
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # what another git command left in the environment counts for nothing
    return f"git@host.example:{far}"


@pytest.mark.parametrize("how", ["ssh", "path", "file"])
def test_all_of_it_works_without_http(how: str, by_ssh: str, far: Path, repository: Path, tmp_path: Path) -> None:
    there = remote({"ssh": by_ssh, "path": str(far), "file": f"file://{far}"}[how], None)
    assert there.branches() == {} and there.head("main") is None and there.default_branch() is None
    with pytest.raises(NoBranch):
        there.fetch(repository, "main")
    first = commit(repository, {"a": b"1"})
    there.push(repository, first, "main")
    assert there.branches() == {"main": first} and there.default_branch() == "main"
    other = tmp_path / "other.git"
    pygit2.init_repository(str(other), bare=True)
    assert there.fetch(other, "main") == first
    second = commit(repository, {"a": b"2"}, first)
    there.push(repository, second, "main")
    there.push(repository, second, "main")
    with pytest.raises(Behind):
        there.push(repository, commit(repository, {"a": b"3"}, first), "main")
    assert there.head("main") == second
    assert there.may_push()


@pytest.mark.parametrize("how", ["ssh", "path"])
def test_repository_that_is_not_there_is_said(how: str, by_ssh: str, far: Path, repository: Path) -> None:
    url = (by_ssh if how == "ssh" else str(far)).replace("far.git", "nowhere.git")
    there = remote(url, None)
    for work in (there.branches, lambda: there.fetch(repository, "main")):
        with pytest.raises(NeedsUser, match="no repository at"):
            work()


def test_hook_at_the_far_end_is_heard_over_ssh(by_ssh: str, far: Path, repository: Path) -> None:
    hook = far / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'exams are frozen' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Refused, match="exams are frozen"):
        remote(by_ssh, None).push(repository, commit(repository, {"a": b"1"}), "main")


def test_dead_ssh_is_tried_again(tmp_path: Path, by_ssh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = tmp_path / "dead-ssh"
    ssh.write_text(
        "#!/bin/sh\necho 'ssh: Could not resolve hostname host.example: Name or service not known' >&2\nexit 255\n"
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    with pytest.raises(TryAgain, match="can't be found"):
        remote(by_ssh, None).head("main")


def test_no_hook_of_ours_runs_on_a_push(by_ssh: str, repository: Path, tmp_path: Path) -> None:
    for name in ("pre-push", "reference-transaction", "post-update"):
        (repository / "hooks").mkdir(exist_ok=True)
        (repository / "hooks" / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (repository / "hooks" / name).chmod(0o755)
    remote(by_ssh, None).push(repository, commit(repository, {"a": b"1"}), "main")
    assert not (tmp_path / "ran").exists()


@pytest.mark.root
def test_repository_of_another_user_is_said(far: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    subprocess.run(["chown", "-R", "12345", far], check=True)
    assert os.stat(far).st_uid == 12345
    with pytest.raises(NeedsUser, match=r"another user|no repository"):
        remote(str(far), None).branches()


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc what is mapped")
def test_a_talk_leaves_no_pack_open_behind(far: Path, repository: Path) -> None:
    there = remote(str(far), None)
    first = commit(repository, {"a": b"1"})
    subprocess.run(["git", "-C", str(repository), "update-ref", "refs/heads/main", first], check=True)
    subprocess.run(["git", "-C", str(repository), "repack", "-adq"], check=True)
    gc.disable()
    try:
        there.push(repository, first, "main")
        assert there.fetch(repository, "main") == first == there.head("main")
        mapped = Path("/proc/self/maps").read_text()
    finally:
        gc.enable()
    assert str(repository) not in mapped and str(far) not in mapped
