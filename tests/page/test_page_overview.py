"""From status documents to words."""

from typing import Any

import pytest
from standins import commit, course, folder, view

from hub_plugin import words
from hub_plugin.folder_cards import folder_status
from hub_plugin.numbering import places_in
from hub_plugin.overview import overview
from hub_plugin.shown import Look, Notice, Overview, Status, key
from syncd.look.tone import Tone


def seen(
    folders: list[Any] | None = None, courses: list[Any] | None = None, views: list[Any] | None = None
) -> Overview:
    publisher = Look({"folders": [folder()] if folders is None else folders}, 1.0)
    return overview(publisher, Look({"courses": [course()] if courses is None else courses, "views": views or []}, 1.0))


@pytest.mark.parametrize(
    ("state", "sentence", "waiting", "says", "tone", "detail"),
    [
        ("up_to_date", "Up to date.", 0, "Up to date", Tone.GOOD, ""),
        ("up_to_date", "Up to date. a.zip is left out.", 0, "Up to date", Tone.GOOD, "a.zip is left out."),
        ("up_to_date", "All is well.", 0, "Up to date", Tone.GOOD, "All is well."),
        ("settling", "", 2, "Noticed changes in 2 files ...", Tone.BUSY, ""),
        ("settling", "", 0, "Noticed changes ...", Tone.BUSY, ""),
        ("pushing", "", 2, "Publishing 2 files ...", Tone.BUSY, ""),
        ("pushing", "", 1, "Publishing 1 file ...", Tone.BUSY, ""),
        ("pushing", "Publishing what changed.", 2, "Publishing 2 files ...", Tone.BUSY, ""),
        ("pushing", "Asking the remote.", 0, "Asking the remote.", Tone.BUSY, ""),
        ("settling", "Starting: looking at all files.", 0, "Starting: looking at all files.", Tone.BUSY, ""),
        ("settling", "1 file waits.", 1, "Noticed changes in 1 file ...", Tone.BUSY, "1 file waits."),
        ("pushing", "", 0, "Publishing ...", Tone.BUSY, ""),
        ("offline", "No network.", 1200, "Offline, 1,200 files waiting", Tone.WAIT, "No network."),
        ("paused", "", 0, "Paused", Tone.WAIT, ""),
        ("needs_you", "The token is wrong.", 3, "Needs you: The token is wrong.", Tone.BAD, ""),
        ("needs_you", "", 0, "Needs you", Tone.BAD, ""),
        ("some_new_state", "It dreams.", 0, "It dreams.", Tone.QUIET, ""),
        ("some_new_state", "", 0, "Some new state", Tone.QUIET, ""),
    ],
)  # fmt: skip
def test_folder_state_is_said_in_words(
    state: str, sentence: str, waiting: int, says: str, tone: Tone, detail: str
) -> None:
    status = folder_status(state, sentence, waiting)
    assert (status.words, status.tone, status.detail) == (says, tone, detail)


@pytest.mark.parametrize(
    ("said", "says", "tone", "version"),
    [
        ({}, "Up to date", Tone.GOOD, "v37"),
        ({"commit": commit(35)}, "2 versions behind", Tone.BUSY, "v35"),
        ({"commit": commit(36)}, "1 version behind", Tone.BUSY, "v36"),
        ({"commit": "ab" * 20}, "Behind", Tone.BUSY, "abababa"),
        ({"commit": None}, "Nothing here yet", Tone.BUSY, "–"),
        ({"waiting": ["a.ipynb"], "state": "waiting"}, "1 file waits", Tone.WAIT, "v37"),
        ({"waiting": ["a", "b"], "commit": commit(36)}, "2 files wait", Tone.WAIT, "v36"),
        ({"state": "needs_you", "sentence": "It is full."}, "Needs attention", Tone.BAD, "v37"),
        ({"state": "offline", "sentence": "No node."}, "Offline", Tone.WAIT, "v37"),
        ({"state": "waiting", "sentence": "Tried again."}, "Waiting", Tone.WAIT, "v37"),
        ({"state": "asleep", "sentence": ""}, "Asleep", Tone.QUIET, "v37"),
        ({"state": 7, "user": ["x"], "waiting": "no", "notes": None}, "Up to date", Tone.GOOD, "v37"),
    ],
)  # fmt: skip
def test_students_folder_is_said_in_words(said: dict[str, Any], says: str, tone: Tone, version: str) -> None:
    ((_, (row,)),) = seen(views=[view("ada", **said)]).courses
    assert (row.status.words, row.status.tone, row.version) == (says, tone, version)


def test_a_view_newer_than_the_node_is_not_called_behind() -> None:
    ((_, (row,)),) = seen(courses=[course(commit=commit(36))], views=[view("ada")]).courses
    assert row.status.words == words.ahead()


def test_waiting_files_come_with_their_reason_and_notes_in_the_words_given() -> None:
    reason = "An update waits until you have saved and closed lab.ipynb."
    said = view("ada", waiting=["lab.ipynb"], sentence=reason, notes=["notes.md: merged."])
    ((_, (row,)),) = seen(views=[said]).courses
    assert row.waiting.first == ("lab.ipynb",)
    assert row.status.detail == reason
    assert row.notes.first == ("notes.md: merged.",)
    assert row.updated_at is not None


def test_versions_are_counted_newest_first() -> None:
    views = [
        view("ada"),
        view("ben", commit=commit(36)),
        view("chi"),
        view("dan", commit=None),
        view("eva", commit="f" * 40),
    ]
    ((card, _),) = seen(views=views).courses
    said = [count.words for count in card.counts]
    assert said == ["v37: 2 of 5", "v36: 1 of 5", "fffffff: 1 of 5", "no version yet: 1 of 5"]
    assert [count.newest for count in card.counts] == [True, False, False, False]


def test_newest_version_is_counted_even_when_nobody_has_it() -> None:
    ((card, _),) = seen(views=[view("ada", commit=commit(36))]).courses
    assert [count.words for count in card.counts] == ["v37: 0 of 1", "v36: 1 of 1"]


def test_without_a_publisher_versions_are_called_by_their_commit() -> None:
    shown = overview(
        None, Look({"courses": [course(commit="abc" * 13 + "d")], "views": [view("ada", commit="abc" * 13 + "d")]})
    )
    ((card, (row,)),) = shown.courses
    assert card.newest == "Newest for students: abcabca"
    assert card.counts[0].words == "abcabca: 1 of 1"
    assert row.version == "abcabca"
    assert shown.no_folders == words.NO_PUBLISHER


def test_version_numbers_given_by_the_publisher_are_kept() -> None:
    recent = [{"commit": commit(n), "time": n, "message": "", "files": [], "number": 400 + n} for n in (3, 2, 1)]
    ((card, _),) = seen([folder(recent=recent)], [course(commit=commit(3))], [view("ada", commit=commit(3))]).courses
    assert card.counts[0].words == "v403: 1 of 1"


def test_recent_commits_are_newest_first_in_either_order_of_the_document() -> None:
    given = folder()["recent"]
    one, other = (seen([folder(recent=recent)]).folders[0].recent for recent in (given, given[::-1]))
    assert one == other
    assert (one[0].version, one[0].message, one[0].about) == ("v37", "Update lab 37", "2 files, 0000000")


def listed(*numbers: int) -> Look:
    """What a publisher says that lists these commits as its last ones."""
    recent = [{"commit": commit(n), "time": n, "message": "", "files": 1, "number": n} for n in numbers[::-1]]
    return Look({"folders": [folder(recent=recent)]}, 1.0)


def test_versions_that_the_publisher_lists_no_more_keep_their_numbers() -> None:
    known = places_in(listed(8, 9, 10), None, {})
    known = places_in(listed(10, 11, 12), None, known)
    node = Look({"courses": [course(commit=commit(12))], "views": [view("ada", commit=commit(8))]}, 1.0)
    shown = overview(listed(10, 11, 12), node, known)
    assert [publish.version for publish in shown.folders[0].recent] == ["v12", "v11", "v10"]
    assert shown.courses[0][1][0].status.words == "4 versions behind"


def came(*numbers: int, first: int = 0) -> Look:
    """What a node says that saw these commits come, and counts them on from `first`."""
    recent = [
        {"commit": commit(n), "time": n, "message": f"Save {n}", "number": first + at}
        for at, n in enumerate(numbers, 1)
    ]
    newest = commit(numbers[-1])
    return Look({"courses": [course(commit=newest, recent=recent[::-1])], "views": [view("ada", commit=newest)]}, 1.0)


def test_without_a_publisher_versions_are_called_as_the_node_counts_them() -> None:
    ((card, (row,)),) = overview(None, came(7, 8, 9)).courses
    assert (card.newest, row.version) == ("Newest for students: v3", "v3")
    assert [(one.version, one.message) for one in card.recent] == [("v3", "Save 9"), ("v2", "Save 8"), ("v1", "Save 7")]
    ((behind, _),) = overview(None, came(7, 8, 9), places_in(None, came(7, 8), {})).courses
    assert behind.newest == "Newest for students: " + commit(9)[:7]  # these places know of two only


def test_where_both_count_the_publishers_numbers_are_taken() -> None:
    # The node saw 6 to 10 come and calls them v101 to v105; the publisher lists 8 to 10 only.
    known = places_in(listed(8, 9, 10), came(6, 7, 8, 9, 10, first=100), {})
    assert {n: known[commit(n)].number for n in range(6, 11)} == {n: n for n in range(6, 11)}
    # A node that began to follow yesterday, and one version of before it began.
    known = places_in(listed(40, 41), came(39, 40), {})
    assert {n: known[commit(n)].number for n in (39, 40, 41)} == {39: 39, 40: 40, 41: 41}
    assert {place.line for place in known.values()} == {key("folder", "f1", "/home/ann/ds8")}


def test_files_of_commits_that_the_remote_does_not_show_are_counted_as_being_published() -> None:
    assert seen([folder(state="pushing", remote_commit=commit(35))]).folders[0].status.words == "Publishing 4 files ..."
    unknown = folder(state="pushing", remote_commit=None, sentence="Publishing what changed.")
    assert seen([unknown]).folders[0].status.words == "Publishing what changed."


def test_what_a_publisher_leaves_out_warns_of_and_notes_is_shown_newest_note_first() -> None:
    (card,) = seen(
        [folder(left_out=["a.zip is too large."], warnings=["b.ipynb is broken."], notes=["old", "new"])]
    ).folders
    assert (card.left_out.first, card.warnings.first) == (("a.zip is too large.",), ("b.ipynb is broken.",))
    assert card.notes.first == ("new", "old")


def test_a_version_that_is_pushed_but_not_yet_on_the_node_is_on_its_way() -> None:
    ((card, _),) = seen(courses=[course(commit=commit(36))]).courses
    assert card.coming == "v37 is on its way."
    ((card, _),) = seen().courses
    assert card.coming == ""


def test_rows_are_in_natural_order_but_who_needs_help_comes_first() -> None:
    views = [view(name) for name in ("student10", "student2", "Ada")] + [view("zoe", state="needs_you")]
    ((_, rows),) = seen(views=views).courses
    assert [row.user for row in rows] == ["zoe", "Ada", "student2", "student10"]


def test_exceptions_are_tallied() -> None:
    views = [view("ada", waiting=["x"]), view("ben", state="needs_you"), view("chi", state="needs_you"), view("dan")]
    ((card, _),) = seen(views=views).courses
    assert card.tallies == ("1 with files that wait", "2 need attention")


def test_views_of_a_course_that_is_not_followed_are_still_shown() -> None:
    shown = seen(courses=[], views=[view("ada", course="old")])
    ((card, rows),) = shown.courses
    assert (card.name, card.status.words, len(rows)) == ("old", words.UNFOLLOWED, 1)


DONE, NOBODY = "Everything is published.", "ds8: no student's folder yet."


@pytest.mark.parametrize(
    ("folders", "views", "headline"),
    [
        (None, [view("ada"), view("ben", commit=commit(36))], f"{DONE} ds8: 1 of 2 have the newest version."),
        (None, [view("ada"), view("ben")], f"{DONE} ds8: everybody has the newest version."),
        (None, [], f"{DONE} {NOBODY}"),
        ([folder(state="pushing", waiting=["a", "b"])], [], f"ds8: Publishing 2 files. {NOBODY}"),
        ([folder(state="needs_you", sentence="It is full.")], [], f"ds8: Needs you: It is full. {NOBODY}"),
        ([], [], NOBODY),
    ],
)
def test_headline_says_the_whole_in_a_line(folders: list[Any] | None, views: list[Any], headline: str) -> None:
    assert seen(folders, views=views).headline == headline


def test_a_source_that_is_down_is_one_notice_and_keeps_what_it_said() -> None:
    shown = overview(Look({"folders": [folder()]}, 5.0, "The publisher is not running."), Look(problem="No node."))
    assert shown.notices == (Notice("The publisher is not running.", 5.0), Notice("No node.", None))
    assert shown.folders[0].status == Status("Last known: Up to date", Tone.QUIET)
    assert shown.headline == ""
    assert shown.no_courses == words.UNKNOWN


def test_credentials_in_a_remote_are_never_shown() -> None:
    shown = seen(
        [folder(remote="https://ann:s3cret@example.org/x.git"), folder(id="2", remote="https://tok3n@example.org/y")]
    )
    assert [card.remote for card in shown.folders] == ["https://example.org/x.git", "https://example.org/y"]


def test_ids_are_plain_whatever_the_names_are() -> None:
    names = ["a b", '"><script>', "\ud800", "ä" * 300]
    keys = {key("view", name) for name in names}
    assert len(keys) == len(names)
    assert all(name.replace("-", "").isalnum() and name.isascii() for name in keys)


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (-100, "just now"),
        (0, "just now"),
        (44, "just now"),
        (45, "1 minute ago"),
        (89, "1 minute ago"),
        (90, "2 minutes ago"),
        (3569, "59 minutes ago"),
        (3570, "1 hour ago"),
        (7200, "2 hours ago"),
        (84599, "23 hours ago"),
        (84600, "yesterday"),
        (2 * 86400, "2 days ago"),
        (29 * 86400, "29 days ago"),
        (30 * 86400, "last month"),
        (61 * 86400, "2 months ago"),
        (344 * 86400, "11 months ago"),
        (345 * 86400, "last year"),
        (730 * 86400, "2 years ago"),
    ],
)
def test_times_are_relative(seconds: float, says: str) -> None:
    assert words.ago(seconds) == says
