"""From two status documents to what the page says.  Pure; times stay numbers, the page words them when it is drawn."""

from dataclasses import replace

from hub_plugin import reports, words
from hub_plugin.class_cards import course_cards
from hub_plugin.folder_cards import folder_card
from hub_plugin.numbering import Places, folder_key, places_in
from hub_plugin.shown import CourseCard, FolderCard, Look, Notice, Overview, Status, ViewRow
from syncd.look.tone import Tone


def overview(publisher: Look | None, node: Look | None, known: Places | None = None) -> Overview:
    """What the page shows, given what the sources said last; None: the page was started without that source."""
    notices = tuple(Notice(look.problem, look.at) for look in (publisher, node) if look is not None and look.problem)
    published = reports.folders(publisher.document) if publisher and publisher.document else ()
    places = places_in(publisher, node, {}) if known is None else known
    cards = tuple({folder_key(folder): folder_card(folder, places) for folder in published}.values())
    pushed = {folder_key(folder): folder.remote_commit for folder in published}
    followed = reports.courses(node.document) if node and node.document else ()
    courses = course_cards(node.document, followed, places, pushed, node.at) if node and node.document else ()
    headline = _headline(
        cards if publisher is None or not publisher.problem else (),
        courses if node is None or not node.problem else (),
    )
    if publisher is not None and publisher.problem:
        cards = tuple(replace(card, status=_stale(card.status)) for card in cards)
    if node is not None and node.problem:
        courses = tuple((replace(card, status=_stale(card.status)), rows) for card, rows in courses)
    return Overview(
        headline=headline,
        notices=notices,
        folders=cards,
        no_folders=_nothing(publisher, words.NO_PUBLISHER, words.NO_FOLDER),
        courses=courses,
        no_courses=_nothing(node, words.NO_NODE, words.NO_COURSE),
        added=tuple(course for course in followed if course.followers is not None),
    )


def _nothing(look: Look | None, absent: str, empty: str) -> str:
    if look is None:
        return absent
    return words.UNKNOWN if look.document is None else empty


def _headline(cards: tuple[FolderCard, ...], courses: tuple[tuple[CourseCard, tuple[ViewRow, ...]], ...]) -> str:
    said = [words.headline_folder(card.name, card.status.words) for card in cards if card.status.tone is not Tone.GOOD]
    if cards and not said:
        said = [words.all_published()]
    for card, rows in courses:
        have = sum(count.count for count in card.counts if count.newest)
        if card.newest:
            said.append(words.headline_course(card.name, have, len(rows)))
    return " ".join(said)


def _stale(status: Status) -> Status:
    return Status(words.last_known(status.words), Tone.QUIET, status.detail)
