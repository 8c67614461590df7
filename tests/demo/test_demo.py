"""The demo without a hub, as a person starts it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def run_demo(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    argv = [sys.executable, "-m", "syncd", "demo", "--classic", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=170, check=False)


def mounts_below(folder: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]


def naming(words: str) -> dict[int, str]:
    """The command lines that hold these words, by process."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended while we looked
        if words in command:
            found[int(process.name)] = command
    return found


def processes_below(folder: Path) -> list[str]:
    return list(naming(str(folder)).values())


@pytest.mark.fuse
def test_the_story_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run_demo(tmp_path, "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All held" in done.stdout
    assert list(tmp_path.glob("synced-folders-demo-*")) == []
    assert mounts_below(tmp_path) == []
    assert processes_below(tmp_path) == []


@pytest.mark.fuse
def test_the_story_holds_on_a_course_that_exists(tmp_path: Path) -> None:
    course = tmp_path / "astro101"
    git = ["git", "-c", "user.name=Prof", "-c", "user.email=prof@example.org"]
    subprocess.run([*git, "init", "-q", "--initial-branch=master", course], check=True)
    for number in range(30):
        (course / f"unit {number}").mkdir()
        (course / f"unit {number}" / "read-mé.txt").write_text(f"Unit {number}\n" * number)
    subprocess.run([*git, "-C", course, "add", "-A"], check=True)
    subprocess.run([*git, "-C", course, "commit", "-qm", "All units"], check=True)
    done = run_demo(tmp_path, "--once", "--course", str(course))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_course_that_is_none_is_told_in_one_sentence(tmp_path: Path) -> None:
    done = run_demo(tmp_path, "--once", "--course", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "could not be cloned" in done.stderr
    assert processes_below(tmp_path) == []


@pytest.mark.fuse
def test_ctrl_c_leaves_no_process_and_no_mount(tmp_path: Path) -> None:
    argv = [sys.executable, "-u", "-m", "syncd", "demo", "--classic"]
    env = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout is not None
        said = []
        for line in demo.stdout:
            said.append(line)
            if "Ctrl-C ends" in line:
                break
        demo.send_signal(signal.SIGINT)
        said.append(demo.stdout.read())
        assert demo.wait(30) == 0, "".join(said)
    (root,) = tmp_path.glob("synced-folders-demo-*")
    assert mounts_below(tmp_path) == []
    assert processes_below(tmp_path) == []
    assert not (root / "ada" / "Data Stories").exists(), "an empty mountpoint looks like a folder that lost everything"
    assert (root / "instructor" / "Data Stories" / "README.md").exists()


@pytest.mark.fuse
def test_a_killed_agent_ends_the_demo_and_leaves_nothing(tmp_path: Path) -> None:
    argv = [sys.executable, "-u", "-m", "syncd", "demo", "--classic"]
    env = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "Ctrl-C ends" in line:
                break
        (root,) = tmp_path.glob("synced-folders-demo-*")
        os.kill(min(naming(f"={root}/ada/")), signal.SIGKILL)
        assert (root / "ada" / "Data Stories" / "README.md").exists(), "the folder died with its process"
        said = demo.stdout.read()
        assert demo.wait(30) == 1 and "agent-ada ended by itself" in said
    assert mounts_below(tmp_path) == []
    deadline = time.monotonic() + 10
    while processes_below(tmp_path):
        assert time.monotonic() < deadline, "somebody stands in for nobody"
        time.sleep(0.05)
    assert not (root / "ada" / "Data Stories").exists()


@pytest.mark.root
def test_the_story_holds_where_fuse_cannot_be_had(tmp_path: Path) -> None:
    hide = (
        'mkdir "$TMPDIR/dev" && mount -t tmpfs tmpfs "$TMPDIR/dev" && cp -a /dev/null /dev/urandom "$TMPDIR/dev/"'
        ' && mkdir "$TMPDIR/dev/shm" && mount --move "$TMPDIR/dev" /dev && exec "$@"'
    )
    argv = ["unshare", "-m", "sh", "-c", hide, "sh", sys.executable, "-m", "syncd", "demo", "--classic", "--once"]
    env = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "plain ones" in done.stdout
