"""What a node's monitoring sees: numbers after what really happened, health, who may ask."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from courses import SECRET, Instructor, node, secret_file, settings
from prometheus_client.parser import text_string_to_metric_families as parsed

from syncd.core.errors import NeedsUser, TryAgain
from syncd.demo.gitserver import GitServer
from syncd.git.remote import Busy
from syncd.metrics.measures import kind_of, plausible_s
from syncd.metrics.node import CourseMeter, NodeMetrics
from syncd.node.views import Peer, Views

Sample = Mapping[str, float]


async def asked(address: str, path: str, token: str | None = None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.get(address + path, headers=headers) as answer:
        return answer.status, await answer.text()


async def by_socket(socket: Path, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
        session.get(f"http://node{path}") as answer,
    ):
        return answer.status, await answer.text()


def numbers(text: str) -> Sample:
    """`name{label=value,...}` -> its value, labels in order of their names, buckets left out."""
    found = {}
    for family in parsed(text):
        for sample in family.samples:
            if not sample.name.endswith("_bucket"):
                labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_metrics_tell_what_happened(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    config = settings(tmp_path, server.url("course"), metrics="127.0.0.1:0")
    first = await instructor.push({"a": b"a" * 5_000})
    async with node(config) as running:
        await running.until(first)
        server.hook(running.webhook, SECRET)
        views = [{"user": f"s{n}", "course": "c", "waiting": [], "beside": 0} for n in range(3)]
        for view in views:
            await running.client.report({**view, "commit": first})
        second = await instructor.push({"a": b"b" * 5_000})
        await running.until(second)
        said = {"commit": second, "visible_s": 0.012, "beside": 2, "waiting": ["a"], "kept_bytes": 4096}
        await running.client.report({**views[0], **said})
        await running.client.report({**views[0], **said})  # once more counts nothing twice
        await running.client.report({**views[1], "commit": "f" * 40, "visible_s": 1e6})
        await running.client.collect()
        await running.until_state("up_to_date")
        _, text = await by_socket(running.client.socket, "/metrics")
    found = numbers(text)
    expected = {
        "syncd_node_fetches_total{course=c}": 2,
        "syncd_node_hints_total{course=c}": 1,
        "syncd_node_course_ready{course=c}": 1,
        "syncd_node_save_to_ready_seconds_count{course=c,since=push}": 1,
        "syncd_node_fetch_to_ready_seconds_count{course=c}": 2,
        "syncd_node_ready_to_visible_seconds_count{course=c}": 1,
        "syncd_node_ready_to_visible_seconds_sum{course=c}": 0.012,
        "syncd_node_views{behind=0,course=c}": 1,
        "syncd_node_views{behind=1,course=c}": 1,
        "syncd_node_views{behind=unknown,course=c}": 1,
        "syncd_node_waiting_merges{course=c}": 1,
        "syncd_node_conflicts_total{course=c}": 2,
        "syncd_node_layer_bytes{course=c}": 4096,
        "syncd_node_collected_bytes_total{}": 0,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert found["syncd_node_fetched_bytes_total{course=c}"] > 100
    assert found["syncd_node_store_free_bytes{}"] > 0 and found["process_resident_memory_bytes{}"] > 0
    assert 0 < found["syncd_node_save_to_ready_seconds_sum{course=c,since=push}"] < 20


async def test_failures_are_counted_by_kind_and_tell_no_path_or_person(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    config = settings(tmp_path, server.url("course"), metrics="127.0.0.1:0", token="wrong", poll_seconds=0.1)
    async with node(config) as running:
        await running.client.report({"user": "ada", "course": "no-such-course", "commit": "a" * 40})
        await running.until_state("needs_you")
        _, text = await by_socket(running.client.socket, "/metrics")
        status, ready = await by_socket(running.client.socket, "/readyz")
        assert (await by_socket(running.client.socket, "/healthz"))[0] == 200, "it lives though it is not ready"
    assert numbers(text)["syncd_node_errors_total{course=c,kind=NeedsToken}"] >= 1
    assert numbers(text)["syncd_node_course_ready{course=c}"] == 0
    assert status == 503 and "does not accept the token" in ready and "0 of 1 courses" in ready
    for private in (str(tmp_path), "ada", "no-such-course", server.url("course")):
        assert private not in text
    assert set(re.findall(r"(\w+)=\"", text)) <= {"course", "behind", "kind", "since", "part", "le"}


async def test_store_is_measured(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    commit = await instructor.push({"a": b"a" * 50_000})
    async with node(settings(tmp_path, server.url("course"))) as running:
        await running.until(commit)
        async with asyncio.timeout(20):
            while "store_bytes" not in (text := (await by_socket(running.client.socket, "/metrics"))[1]):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    assert numbers(text)["syncd_node_store_bytes{part=contents}"] >= 50_000
    assert numbers(text)["syncd_node_store_bytes{part=mirrors}"] > 0


async def test_listener_wants_the_token_but_for_health(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    commit = await instructor.push({"a": b"a"})
    token = secret_file(tmp_path / "metrics.token", "let-me-see\n")
    config = settings(tmp_path, server.url("course"), metrics="127.0.0.1:0", metrics_token_file=token)
    async with node(config) as running:
        await running.until(commit)
        address = str(running.facts["metrics"])
        for path, given, expected in (
            ("/metrics", None, 403),
            ("/metrics", "wrong", 403),
            ("/metrics", "let-me-see", 200),
            ("/readyz", None, 403),
            ("/readyz", "let-me-see", 200),
            ("/healthz", None, 200),
        ):
            assert (await asked(address, path, given))[0] == expected, (path, given)
        token.chmod(0o644)  # everybody could read it, so it is none
        assert (await asked(address, "/metrics", "let-me-see"))[0] == 403


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:9464", "example.org:9464", "[::]:0"])
async def test_metrics_are_shown_on_loopback_only(tmp_path: Path, server: GitServer, address: str) -> None:
    with pytest.raises(NeedsUser, match="for this machine only"):
        async with node(settings(tmp_path, server.url("course"), metrics=address)):
            pass


def test_course_that_goes_takes_its_numbers_along() -> None:
    metrics = NodeMetrics(lambda: [], lambda: 1)
    for name in ("left", "kept"):
        meter = metrics.course(name)
        meter.looked()
        meter.failed(TryAgain("x"))
        meter.ready("a" * 40, None, 1.0)
    metrics.forget("left")
    metrics.forget("never there")
    courses = {
        s.labels["course"] for family in metrics.registry.collect() for s in family.samples if "course" in s.labels
    }
    assert courses == {"kept"}


def test_distance_of_a_view_has_few_values() -> None:
    meter = NodeMetrics(lambda: [], lambda: 1).course("c")
    commits = [f"{n:040x}" for n in range(150)]
    for commit in commits:
        meter.ready(commit, None, 1.0)
    assert [meter.behind(commits[-n]) for n in (1, 2, 3, 4, 90)] == ["0", "1", "2", "more", "more"]
    assert [meter.behind(each) for each in (commits[0], None, 7, "nonsense")] == ["unknown"] * 4
    meter.ready(commits[-2], None, 1.0)  # taken back: the newest is what is ready now
    assert (meter.behind(commits[-2]), meter.behind(commits[-1])) == ("0", "1")
    assert set(CourseMeter.DISTANCES) >= {meter.behind(each) for each in commits}


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (NeedsUser("x"), "NeedsUser"),
        (Busy("x"), "Busy"),
        (PermissionError("x"), "PermissionError"),
        (RuntimeError("x"), "Unexpected"),
    ],
)
def test_kind_of_a_failure_is_its_class(problem: Exception, kind: str) -> None:
    assert kind_of(problem) == kind


@pytest.mark.parametrize(
    ("told", "counted"), [(0, 0.0), (1.5, 1.5), (-0.1, None), (1e9, None), (None, None), ("1", None), (True, None)]
)
def test_duration_that_can_be_none_is_not_counted(told: Any, counted: float | None) -> None:
    assert plausible_s(told) == counted


def test_report_with_a_wrong_number_is_refused() -> None:
    views = Views(0)
    for wrong in ("1", -1, 1e30, True, float("nan"), [1]):
        with pytest.raises(NeedsUser, match="number"):
            views.report(Peer(1, "ada"), {"course": "c", "beside": wrong})
