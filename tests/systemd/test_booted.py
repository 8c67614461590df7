"""The units on a machine that a real systemd has booted: installed, used, killed, rebooted, upgraded, removed.

One story, each test going on where the one before it ended: run the file whole, or its beginning (`-k`, `-x`).
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from booted import OPT, Booted, missing

from syncd.cli.units import STARTED

pytestmark = [pytest.mark.root, pytest.mark.fuse, pytest.mark.slow, pytest.mark.timeout(240)]
STUDENTS = ("ada", "ben", "cleo")
_INSTALL = ("syncd", "node", "install", "--programs", OPT / "bin")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    why = missing()
    if why is not None:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("machine")
    with Booted(folder) as booted:
        for student in STUDENTS:
            booted.run("useradd", "-m", "-s", "/bin/bash", student)
        _serve_course(booted)
        yield booted


def _serve_course(machine: Booted) -> None:
    """A course at a real git server, which this side pushes to through the folder both see."""
    bare, work = machine.share / "git/course.git", machine.folder / "instructor"
    bare.parent.mkdir()
    _git("init", "-q", "--bare", "--initial-branch=main", bare)
    _git("init", "-q", "--initial-branch=main", work)
    _git("-C", work, "remote", "add", "origin", bare)
    push(machine, {"lab.txt": "one\ntwo\nthree\n", "data.csv": "1,2\n" * 100_000})
    (machine.share / "token.json").write_text(json.dumps({"read": ["may-read"]}))
    _start_git(machine)


def _start_git(machine: Booted) -> None:
    machine.run(
        *("systemd-run", "-q", "--unit=git", OPT / "bin/python"),
        *("-m", "syncd.demo.gitserver", "--root", machine.share / "git", "--port", "8123"),
        *("--token-file", machine.share / "token.json"),
    )


def push(machine: Booted, files: dict[str, str]) -> None:
    work = machine.folder / "instructor"
    for name, text in files.items():
        (work / name).write_text(text)
    _git("-C", work, "add", "-A")
    _git("-C", work, "-c", "user.name=Ida", "-c", "user.email=ida@example.org", "commit", "-qm", "A save")
    _git("-C", work, "push", "-q", "origin", "main")


def _git(*words: str | Path) -> None:
    subprocess.run(["git", *words], check=True, capture_output=True)


def reads(machine: Booted, student: str, name: str) -> str:
    """What a student reads in the folder of the course; nothing while it is not there."""
    return machine.run("cat", f"/home/{student}/course/{name}", user=student, check=False)


def edit(machine: Booted, student: str, name: str, line: str) -> None:
    machine.run("sh", "-c", f"echo {line} >> /home/{student}/course/{name}", user=student)


def test_install_puts_the_services_in_place_and_starts_them(machine: Booted) -> None:
    said = machine.run(OPT / "bin/syncd", *_INSTALL[1:])
    assert "systemctl reload syncd-node" in said
    for unit in STARTED:
        assert machine.is_active(unit), unit
        assert machine.run("systemctl", "is-enabled", unit).strip() == "enabled"
    assert machine.run("stat", "-c", "%U:%G %a", "/etc/synced-folders/node.toml") == "root:synced-folders 640\n"
    assert machine.run("stat", "-c", "%U", "/var/lib/synced-folders").strip() == "synced-folders"
    assert machine.fact("syncd-node", "User") == "synced-folders"
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend").strip() == ""


def test_reload_takes_up_a_course_and_the_status_says_so(machine: Booted) -> None:
    settings = machine.run("cat", "/etc/synced-folders/node.toml").replace("poll_seconds = 30", "poll_seconds = 0.3")
    settings += '[[course]]\nname = "course"\nremote = "http://127.0.0.1:8123/course.git"\nbranch = "main"\n'
    settings += 'token_file = "course.token"\n'
    (machine.share / "node.toml").write_text(settings)
    machine.run("cp", machine.share / "node.toml", "/etc/synced-folders/node.toml")
    machine.run("sh", "-c", "umask 027; echo may-read > /etc/synced-folders/course.token")
    machine.run("chgrp", "synced-folders", "/etc/synced-folders/course.token")
    before = machine.fact("syncd-node", "MainPID")
    machine.run("systemctl", "reload", "syncd-node")
    machine.until(
        lambda: machine.fact("syncd-node", "StatusText").startswith("1 of 1 courses up to date"), "the course is ready"
    )
    assert machine.fact("syncd-node", "MainPID") == before


def test_three_students_get_the_course_and_an_update_and_keep_their_edits(machine: Booted) -> None:
    for student in ("ada", "ben"):
        said = json.loads(machine.run(OPT / "bin/syncd", "agents", "ensure", student))
        assert "course" in json.dumps(said), said
    machine.run("systemctl", "start", "syncd-agent@cleo")  # alone, as on a machine without the parent of agents
    for student in STUDENTS:
        machine.until(lambda who=student: reads(machine, who, "lab.txt") == "one\ntwo\nthree\n", f"{student} has it")  # type: ignore[misc]
    kinds = machine.run("findmnt", "-rno", "FSTYPE,TARGET")
    assert sum(line.startswith("fuse") and line.endswith("/course") for line in kinds.splitlines()) == 3, kinds
    status = "agents: 2 run, 2 show all their folders"
    machine.until(lambda: machine.fact("syncd-agents", "StatusText") == status, "the parent of agents tells of them")
    edit(machine, "ada", "lab.txt", "mine")
    push(machine, {"lab.txt": "ONE\ntwo\nthree\n"})
    machine.until(lambda: reads(machine, "ben", "lab.txt") == "ONE\ntwo\nthree\n", "ben has the update")
    machine.until(lambda: reads(machine, "ada", "lab.txt") == "ONE\ntwo\nthree\nmine\n", "ada has both")


def test_journal_has_course_user_and_commit_as_fields(machine: Booted) -> None:
    def told(*match: str) -> list[dict[str, str]]:
        said = machine.run("journalctl", "-o", "json", "--no-pager", "COURSE=course", *match)
        return [json.loads(line) for line in said.splitlines()]

    head = machine.share / "git/course.git/refs/heads/main"
    commit = head.read_text().strip()
    machine.until(lambda: bool(told("_SYSTEMD_UNIT=syncd-node.service", f"COMMIT={commit}")), "the node's record")
    (record, *_) = told("_SYSTEMD_UNIT=syncd-node.service", f"COMMIT={commit}")
    assert record["PRIORITY"] == "6" and record["CODE_FILE"].endswith("syncd/node/prepare.py")
    assert record["SYSLOG_IDENTIFIER"] == "syncd" and "ready" in record["MESSAGE"]
    for user in STUDENTS:
        machine.until(lambda who=user: bool(told(f"SYNCD_USER={who}")), f"a record about {user}")  # type: ignore[misc]
        assert {each["_UID"] for each in told(f"SYNCD_USER={user}")} == {machine.run("id", "-u", user).strip()}


def test_metrics_of_the_hardened_service_are_for_root(machine: Booted) -> None:
    ask = "curl -s --unix-socket /var/lib/synced-folders/node.sock http://node/metrics"
    views = 'syncd_node_views{behind="0",course="course"} 3.0'
    machine.until(lambda: views in machine.run("sh", "-c", ask), "all three are counted")
    text = machine.run("sh", "-c", ask)
    assert 'syncd_node_course_ready{course="course"} 1.0' in text and "process_resident_memory_bytes" in text
    assert "syncd_node" not in machine.run("sh", "-c", ask, user="ada")


def test_doctor_finds_the_installed_node_well(machine: Booted) -> None:
    said = machine.run(OPT / "bin/syncd", "doctor", "--node", "--deep", "--json", check=False)
    findings = json.loads(said)["findings"]
    bad = [each for each in findings if each["level"] in ("problem", "warning") and each["check"] != "watching"]
    assert bad == []
    told = {each["check"]: each["sentence"] for each in findings}
    assert told["units"] == "syncd-collect.timer is active." and "Only the service can read" in told["secrets"]
    assert any(each["sentence"] == "The units are those of this version." for each in findings)
    machine.run("systemctl", "stop", "syncd-collect.timer")
    machine.run("sh", "-c", "echo '# changed' >> /etc/systemd/system/syncd-broker.service")
    said = machine.run(OPT / "bin/syncd", "doctor", "--node", check=False)
    assert "syncd-collect.timer is inactive: systemctl start" in said and "syncd-broker.service: missing, or of" in said
    machine.run("sed", "-i", "/# changed/d", "/etc/systemd/system/syncd-broker.service")
    machine.run("systemctl", "start", "syncd-collect.timer")


def test_students_see_nothing_of_each_other_nor_of_the_store(machine: Booted) -> None:
    for path in ("/home/ada/course/lab.txt", "/var/lib/synced-folders/blobs", "/var/lib/synced-folders/courses"):
        assert machine.run("sh", "-c", f"ls {path} 2>&1; true", user="ben").count("Permission denied") == 1, path
    for path in ("/etc/synced-folders/course.token", "/etc/synced-folders/node.toml"):
        assert "Permission denied" in machine.run("sh", "-c", f"cat {path} 2>&1; true", user="ben"), path


def test_a_hubs_server_in_a_unit_of_its_own_sees_the_course_and_its_updates(machine: Booted) -> None:
    machine.run("useradd", "-m", "-s", "/bin/bash", "dora")
    for name in ("hub_config.py", "hub_asking.py"):
        shutil.copy(Path(__file__).with_name(name), machine.share)
    machine.run("mkdir", "-p", "/root/hub")
    started = ("systemd-run", "-q", "--unit=hub", "--working-directory=/root/hub", OPT / "bin/python")
    machine.run(*started, "-m", "jupyterhub", "-f", machine.share / "hub_config.py")

    def asked(method: str, path: str, token: str = "the-office") -> Any:
        """What the hub answers; nothing while it does not."""
        return json.loads(machine.run(OPT / "bin/python", machine.share / "hub_asking.py", method, path, token))

    machine.until(lambda: asked("GET", "hub/api/users/dora") is not None, "the hub is up", 60)
    asked("POST", "hub/api/users/dora/server")
    machine.until(
        lambda: asked("GET", "hub/api/users/dora")["servers"].get("", {}).get("ready"), "the server is up", 60
    )
    unit = "jupyter-dora-singleuser"
    shut = ("PrivateTmp", "PrivateDevices", "NoNewPrivileges")
    assert [machine.fact(unit, name) for name in shut] == ["yes"] * 3 and machine.fact(unit, "ReadOnlyPaths") == "/"
    token = asked("POST", "hub/api/users/dora/tokens")["token"]
    where = "user/dora/api/contents/course/lab.txt"
    assert asked("GET", where, token)["content"].startswith("ONE\ntwo\n")
    push(machine, {"lab.txt": "ONE\nTWO\nthree\n"})
    machine.until(lambda: asked("GET", where, token)["content"] == "ONE\nTWO\nthree\n", "the update is in the server")
    listed = "/etc/synced-folders/members/course.members"
    assert machine.run("stat", "-c", "%U:%G %a", listed) == "root:synced-folders 640\n"
    assert "dora" in machine.run("cat", listed, user="synced-folders").split()
    asked("DELETE", "hub/api/users/dora/server")
    machine.until(lambda: not machine.is_active(unit), "the server has ended")
    machine.until(lambda: reads(machine, "dora", "lab.txt") == "", "and with it the agent")
    machine.run("systemctl", "stop", "hub")


@pytest.mark.parametrize("unit", ["syncd-node", "syncd-broker", "syncd-agents", "syncd-agent@cleo"])
def test_killed_unit_comes_back_and_nothing_is_lost(machine: Booted, unit: str) -> None:
    who = "cleo" if unit.endswith("@cleo") else "ada"
    reading = f"systemd-run -q --uid={who} --unit=reader-{unit.replace('@', '-')} sh -c"
    script = f"exec 3< /home/{who}/course/data.csv; sleep 4; cat <&3 | md5sum > /home/{who}/read-{unit}"
    machine.run("sh", "-c", f"{reading} '{script}'")
    machine.until(lambda: machine.is_active(f"reader-{unit.replace('@', '-')}"), "the reader has it open")
    before = machine.fact(unit, "MainPID")
    machine.run("systemctl", "kill", "-s", "KILL", "--kill-who=main", unit)
    machine.until(
        lambda: machine.is_active(unit) and machine.fact(unit, "MainPID") not in (before, "0"), f"{unit} is back"
    )
    assert json.loads(machine.run(OPT / "bin/syncd", "agents", "ensure", "ben"))["pid"], (
        "who starts agents can be asked"
    )
    edit(machine, who, "lab.txt", f"after-{unit}")
    push(machine, {"news.txt": f"after {unit}\n"})
    for student in (who, "ben"):
        machine.until(
            lambda each=student: reads(machine, each, "news.txt") == f"after {unit}\n",  # type: ignore[misc]
            f"{student} has an update after {unit} was killed",
        )
    assert f"after-{unit}\n" in reads(machine, who, "lab.txt")
    machine.until(lambda: bool(machine.run("cat", f"/home/{who}/read-{unit}", check=False)), "the reader is done")
    assert machine.run("cat", f"/home/{who}/read-{unit}").split()[0] == _md5(machine), "an open file went on"


def _md5(machine: Booted) -> str:
    done = subprocess.run(
        ["md5sum", machine.folder / "instructor/data.csv"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[0]


def test_node_that_hangs_is_started_anew_by_the_watchdog(machine: Booted) -> None:
    machine.run("mkdir", "-p", "/run/systemd/system/syncd-node.service.d")
    machine.run(
        "sh", "-c", "printf '[Service]\\nWatchdogSec=2\\n' > /run/systemd/system/syncd-node.service.d/quick.conf"
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "syncd-node")
    before = machine.fact("syncd-node", "MainPID")
    machine.run("kill", "-STOP", before)
    machine.until(
        lambda: machine.is_active("syncd-node") and machine.fact("syncd-node", "MainPID") not in (before, "0"),
        "the watchdog",
    )
    machine.run("rm", "-r", "/run/systemd/system/syncd-node.service.d")
    machine.run("systemctl", "daemon-reload")


def test_collection_runs_by_its_timer_unit(machine: Booted) -> None:
    machine.run("systemctl", "start", "syncd-collect.service")
    assert machine.fact("syncd-collect.service", "Result") == "success"
    assert "Removed" in machine.run("journalctl", "-u", "syncd-collect", "-o", "cat", "--no-pager")
    assert machine.fact("syncd-collect.timer", "ActiveState") == "active"


def test_everything_is_there_after_a_reboot(machine: Booted) -> None:
    machine.run("systemctl", "enable", "--quiet", "syncd-agent@cleo")
    for student in ("ada", "cleo"):
        edit(machine, student, "lab.txt", "before-the-reboot")
    machine.reboot()
    for unit in STARTED:
        machine.until(lambda each=unit: machine.is_active(each), unit)  # type: ignore[misc]
    machine.run(OPT / "bin/syncd", "agents", "ensure", "ada")
    for student in ("ada", "cleo"):
        machine.until(
            lambda each=student: "before-the-reboot\n" in reads(machine, each, "lab.txt"),  # type: ignore[misc]
            f"{student}'s folder, though the remote is away",
        )
    _start_git(machine)
    push(machine, {"news.txt": "after the reboot\n"})
    machine.until(lambda: reads(machine, "ada", "news.txt") == "after the reboot\n", "an update after the reboot")
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend").strip() == ""


def test_upgrade_in_place_disturbs_no_open_file(machine: Booted) -> None:
    machine.run(
        "sh",
        "-c",
        "systemd-run -q --uid=ada --unit=writer sh -c "
        "'exec 3>> /home/ada/course/long.txt; for n in 1 2 3 4 5 6 7 8; do echo $n >&3; sleep 0.5; done'",
    )
    machine.run(OPT / "bin/syncd", *_INSTALL[1:])
    machine.until(lambda: not machine.is_active("writer"), "the writer is done")
    assert machine.fact("writer", "Result") in ("success", "")
    assert reads(machine, "ada", "long.txt").split() == [str(n) for n in range(1, 9)]
    assert machine.run("cat", "/etc/synced-folders/node.toml") == (machine.share / "node.toml").read_text(), "kept"


def test_uninstall_removes_the_services_and_leaves_peoples_files(machine: Booted) -> None:
    machine.run(OPT / "bin/syncd", "node", "uninstall")
    assert machine.run("systemctl", "list-unit-files", "syncd-*", "--no-legend", check=False).strip() == ""
    assert "fuse" not in machine.run("findmnt", "-rno", "FSTYPE", "/home/ada/course", check=False)
    left = machine.run("sh", "-c", "grep -rl before-the-reboot /home/ada")
    assert left.strip(), "what ada wrote is still there"
    assert machine.run("ls", "/etc/synced-folders/node.toml", "/var/lib/synced-folders/courses")
