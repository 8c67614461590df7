"""What a folder's report becomes: each state has its words, each question its answers; oddities break nothing."""

from datetime import datetime
from typing import Any

import pytest

from syncd.look.tone import Tone
from syncd.page import history, releases, words
from syncd.page.drawing import Drawing
from syncd.page.files import student_links
from syncd.page.pieces import of_all, of_one, of_releases
from syncd.page.shown import Shown, headline, shown

NOW = datetime(2026, 11, 22, 14, 3)
PAUSE = words.PAUSE
GITHUB = "https://github.com/ida/ds8.git"
DRAWING = Drawing("/page/key/")


def report(**given: Any) -> dict[str, Any]:
    usual = {"id": "f1", "folder": "/home/ida/ds8", "remote": "https://git.example.edu/ds8.git", "branch": "main"}
    more = {"state": "up_to_date", "sentence": "Up to date.", "question": None, "commit": "a" * 40, "progress": None}
    return usual | more | {"remote_commit": "a" * 40, "waiting": [], "left_out": [], "recent": []} | given


def saves(count: int, **each: Any) -> list[dict[str, Any]]:
    return [
        {"commit": f"{n:040}", "time": NOW.timestamp(), "message": f"Save {n}", "files": 1} | each for n in range(count)
    ]


@pytest.mark.parametrize(
    ("given", "state", "detail", "buttons"),
    [
        ({}, "Up to date", "", [words.PAUSE]),
        ({"left_out": ["“a” is too large."]}, "Up to date", "1 file is left out.", [words.PAUSE]),
        ({"warnings": ["w"] * 100, "warnings_count": 1200}, "Up to date", "1,200 worth a look.", [words.PAUSE]),
        ({"state": "settling", "waiting": ["a", "b", "c"]}, "3 files waiting", "", [words.PAUSE]),
        ({"state": "settling", "waiting": ["a"], "waiting_count": 1000}, "1,000 files waiting", "", [words.PAUSE]),
        ({"state": "settling", "sentence": "Starting: looking."}, "Starting: looking", "", [words.PAUSE]),
        ({"state": "pushing", "recent": saves(2), "remote_commit": f"{1:040}"}, "Publishing 1 change", "", [PAUSE]),
        (
            {"state": "offline", "sentence": "No network.", "recent": saves(3), "remote_commit": f"{2:040}"},
            "Offline, 2 changes waiting",
            "No network.",
            [words.TRY_NOW, words.PAUSE],
        ),
        ({"state": "paused"}, "Paused", "What you save is kept here, and published when you resume.", [words.RESUME]),
        (
            {"state": "needs_you", "question": "held", "sentence": "All files vanished."},
            "Needs you:",
            "All files vanished.",
            [words.RESTORE_FILES, words.PUBLISH_DELETION, words.PAUSE],
        ),
        (
            {"state": "needs_you", "question": "rewritten", "sentence": "Rewritten."},
            "Needs you:",
            "Rewritten.",
            [words.KEEP_BOTH, words.KEEP_THEIRS, words.PAUSE],
        ),
        (
            {"state": "needs_you", "question": "rewritten", "sentence": "Deleted.", "remote_commit": None},
            "Needs you:",
            "Deleted.",
            [words.PUBLISH_AGAIN, words.PAUSE],
        ),
        (
            {"state": "needs_you", "question": "missing", "sentence": "It is not there."},
            "Needs you:",
            "It is not there.",
            [words.TRY_AGAIN, words.REMOVE, words.PAUSE],
        ),
        (
            {"state": "needs_you", "question": "token", "sentence": f"Gone. Say: syncd login {GITHUB}"}
            | {"token_for": GITHUB},
            "Needs you:",
            "Gone.",
            [words.USE_TOKEN, words.TRY_AGAIN, words.PAUSE],
        ),
        ({"state": "needs_you", "sentence": "No."}, "Needs you:", "No.", [words.TRY_AGAIN, words.PAUSE]),
    ],
)  # fmt: skip
def test_each_state_has_its_words_and_buttons(
    given: dict[str, Any], state: str, detail: str, buttons: list[str]
) -> None:
    folder = shown(report(**given), NOW)
    labels = [words.USE_TOKEN] * bool(folder.token) + [answer.label for answer in folder.answers]
    assert (folder.state, folder.detail, labels) == (state, detail, buttons)
    html = "".join(DRAWING.piece(piece, "token") for piece in (*of_all([folder]), *of_one(folder)))
    assert state in html and all(f">{button}</button>" in html for button in buttons)
    assert ('href="https://github.com/settings/personal-access-tokens/new?' in html) is bool(folder.token)


def test_progress_says_how_much_and_how_long() -> None:
    far = {"kind": "push", "objects": 30, "of": 120, "bytes": 12_345_678, "seconds_left": 95.0}
    progress = shown(report(state="pushing", progress=far), NOW).progress
    assert progress and progress.share == 0.25
    assert f"{progress.label}: {progress.detail}" == "Sending: 12 MB, 30 of 120 parts, about 2 min left"
    unknown = shown(report(progress={"kind": "fetch", "objects": 0, "of": 0, "bytes": 0, "seconds_left": None}), NOW)
    assert unknown.progress and unknown.progress.share is None and unknown.progress.detail == ""


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (12_300_000, "12 MB"),
        (5 * 10**9, "5.0 GB"),
        (2 * 10**12, "2.0 TB"),
        (9 * 10**15, "9000 TB"),
    ],
)
def test_sizes_are_read_easily(count: int, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 22, 9, 2), "today 09:02"),
        (datetime(2026, 11, 21, 23, 59), "yesterday 23:59"),
        (datetime(2026, 11, 3, 10, 0), "3 Nov 10:00"),
        (datetime(2025, 11, 3, 10, 0), "3 Nov 2025"),
    ],
)
def test_times_are_those_of_the_readers_clock(at: datetime, text: str) -> None:
    assert words.when(int(at.timestamp()), NOW) == text


def test_one_sentence_says_how_all_folders_are() -> None:
    def of(*states: dict[str, Any]) -> str:
        return headline([shown(report(**state), NOW) for state in states])

    assert of() == words.NO_FOLDER
    assert of({}, {"left_out": ["“a” is too large."]}) == "Everything is up to date."
    assert of({}, {"state": "needs_you"}, {"state": "offline"}, {"state": "pushing"}, {"state": "paused"}) == (
        "5 folders: 1 needs you, 2 are on the way, 1 paused."
    )


HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><svg/onload=alert(1)>",
    "</section></main><iframe src=//evil.example>",
    "{{ 7 * 7 }}",
    "a\u202egnp.exe",
    "new\r\nline\x00\x1b[31m",
    "bad\udc80\ud800",
    "x" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_and_messages_stay_text(text: str) -> None:
    given = dict.fromkeys(("id", "folder", "remote", "branch", "sentence", "state", "commit"), text)
    lists = {name: [text] for name in ("waiting", "left_out", "warnings", "notes")}
    left_out = [{"path": text, "sentence": text}]
    folder = shown(report(**given, **lists | {"left_out": left_out}, recent=saves(1, message=text)), NOW)
    asking = shown(report(id="f1", state="needs_you", question="held", sentence=text, commit=text), NOW)
    html = "".join(DRAWING.piece(p, "t") for each in (folder, asking) for p in (*of_all([each]), *of_one(each)))
    html.encode()
    for markup in ("<script", "<svg", "<iframe", "\u202e", "\x1b", "\x00"):
        assert markup not in html


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_releases_and_deeds_stay_text(text: str) -> None:
    students = {"branch": text, "remote": text, "way": "release", "commit": text, "behind": 1, "planned": []}
    folder = shown(report(students=students), NOW)
    plan = {"id": text, "what": text, "when": text, "message": text}
    release = {"id": text, "commit": text, "message": text, "time": 5, "files": 2}
    waiting = [{"path": text, "change": text}]
    found = releases.read(folder, {"planned": [plan], "published": [release], "waiting": waiting}, NOW)
    html = "".join(DRAWING.piece(piece, "t") for piece in of_releases(found))
    deed = {"commit": text, "message": text, "author": text, "count": 3, "files": [[text, text]], "checkpoints": [text]}
    deeds = history.read({"log": [deed]}, NOW)
    named = history.named({"checkpoints": [{"name": text, "message": text, "author": text}]}, NOW)
    common = {"folder": folder, "csrf": "t", "said": "", "problem": ""}
    html += DRAWING.draw("history.html", common | {"part": "history", "deeds": deeds, "checkpoints": named})
    html.encode()
    for markup in ("<script>", "<svg", "<iframe", "\u202e", "\x1b", "\x00"):
        assert markup not in html


@pytest.mark.parametrize("odd", [None, 5, "text", [], {}, [[]], [None, {}], float("nan"), -1, True])
def test_a_report_of_another_version_breaks_nothing(odd: Any) -> None:
    given = {name: odd for name in report() if name not in ("id", "folder")}
    folder = shown(report(**given) | {"waiting_count": odd, "notes": odd, "warnings": odd}, NOW)
    assert isinstance(folder, Shown) and folder.tone in Tone
    for piece in (*of_all([folder]), *of_one(folder)):
        assert DRAWING.piece(piece, "t")
    students = shown(report(students={"way": "release"} | dict.fromkeys(("branch", "behind", "planned"), odd)), NOW)
    assert students.students is not None
    found = releases.read(students, dict.fromkeys(("planned", "published", "waiting"), odd), NOW)
    assert all(DRAWING.piece(piece, "t") for piece in of_releases(found))
    assert isinstance(history.read({"log": odd}, NOW), tuple)


def test_links_for_students_lead_to_the_branch_and_the_part_of_the_repository_that_they_follow() -> None:
    theirs = {"remote": "https://git.example.edu/for-students.git", "branch": "pupils"}
    plain = student_links("https://hub.example.edu", shown(report(), NOW), "lab1.ipynb")
    own = student_links("https://hub.example.edu", shown(report(students=theirs, subfolder="fa26"), NOW), "lab1.ipynb")
    assert "branch=main" in plain[0].text and "path=lab1.ipynb" in plain[0].text
    assert "branch=pupils" in own[0].text and "for-students" in own[0].text and "path=fa26%2Flab1.ipynb" in own[0].text
    assert not any("branch=main" in link.text or "ds8.git" in link.text for link in own)
