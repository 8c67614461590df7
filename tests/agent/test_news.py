"""A page of memory that one writes and many read."""

import json
import os
from pathlib import Path

import pytest

from syncd.agent.news import Answers, News, Page
from syncd.core.entry import CommitId, RelPath

COMMIT = "a" * 40


def line(**more: object) -> bytes:
    return json.dumps({"commit": COMMIT, "manifest": "/m", "blobs": "/b", "ready_at": 1.5, **more}).encode()


def test_what_is_posted_is_read_and_what_is_settled_is_heard_in_another_process() -> None:
    page, answers = Page(), Answers()
    if os.fork() == 0:
        status = 1
        try:
            news = News(page.fd, Answers(answers.fd), 3)
            while news.version == 0:
                pass
            posted = news.read()
            assert posted is not None and posted.manifest == Path("/m") and posted.paths == {RelPath("a/\udcff"): "~"}
            news.settle(posted, by_itself=True)
            status = 0
        finally:
            os._exit(status)
    assert page.post(line(since="b" * 40, paths={"a/\udcff": "~"})) is not None
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    assert answers.of(3) == (1, True) and answers.of(2) == (0, False)


def test_each_version_takes_the_place_of_the_one_before() -> None:
    page = Page()
    news = News(page.fd, Answers(), 0)
    assert news.read() is None
    for number in range(1, 20):
        page.post(line(since=f"{number:040x}"))
        posted = news.read()
        assert posted is not None and (posted.version, posted.since) == (number, f"{number:040x}")


def test_a_reader_that_is_overtaken_reads_no_mixture_of_two_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page()
    news = News(page.fd, Answers(), 0)
    real, held_up = News.version, iter([True])

    def version(self: News) -> int:
        found: int = real.__get__(self)
        if next(held_up, False):
            page.post(line(since=f"{2:040x}"))
            half = line(since=f"{3:040x}")[:40].replace(b"a", b"c")
            page._map[at + 8 : at + 8 + len(half)] = half  # the third is being written
        return found

    page.post(line(since=f"{1:040x}"))
    at = news._map.find(line()[:20]) - 8
    monkeypatch.setattr(News, "version", property(version))
    posted = news.read()
    assert posted is not None and (posted.version, posted.since, posted.commit) == (2, f"{2:040x}", COMMIT)


def test_changes_that_are_too_long_to_tell_are_left_out_and_the_version_is_posted_all_the_same() -> None:
    page = Page()
    posted = page.post(line(since="b" * 40, paths={"x" * 4_000 + str(number): "~" for number in range(100)}))
    assert posted is not None and posted.commit == CommitId(COMMIT) and posted.paths is None and posted.since is None
    assert News(page.fd, Answers(), 0).read() == posted


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"null", b"{", line(ready_at="never"), line(paths=[1])])
def test_a_line_that_says_nothing_posts_nothing(text: bytes) -> None:
    page = Page()
    assert page.post(text) is None and page.version == 0
