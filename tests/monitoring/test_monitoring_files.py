"""The dashboard and the alert rules ask for what is exported, and for nothing else."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsUser, TryAgain
from syncd.metrics.exposition import Registry
from syncd.metrics.node import CourseMeter, NodeMetrics, Seen, Sizes
from syncd.metrics.publisher import FolderMeter, PublisherMetrics

FILES = Path(__file__).parent.parent.parent / "monitoring"
_OF_THE_SERVER = {"up": {"job", "instance"}}
_WORDS = {"by", "on", "and", "or", "sum", "rate", "increase", "histogram_quantile", "predict_linear", "time", "min"}


def rules() -> list[Mapping[str, str]]:
    groups = yaml.safe_load((FILES / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[Mapping[str, object]]:
    found = json.loads((FILES / "grafana-dashboard.json").read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    for rule in rules():
        yield rule["expr"]
    for panel in panels():
        targets = panel["targets"]
        assert isinstance(targets, list)
        yield from (target["expr"] for target in targets)


def exported() -> dict[str, set[str]]:
    """Names of samples with their labels, of services to which everything has happened."""
    seen = [Seen("c", dict.fromkeys(CourseMeter.DISTANCES, 1), 1, 1)]
    node = NodeMetrics(lambda: seen, lambda: 1)
    meter = node.course("c")
    meter.looked()
    meter.told("a", 1.0)
    meter.fetched(1.0, 1)
    meter.ready("a", 1.0, 2.0)
    meter.well(1.0)
    meter.shown(1.0)
    meter.failed(NeedsUser("x"))
    node.measured(Sizes(1, 1))
    node.linked(lambda: True)
    publisher = PublisherMetrics(lambda: {"offline": 1}, lambda: {"secret": 1})
    folder = FolderMeter(publisher)
    folder.saved(RelPath("a"), 1.0)
    folder.taken_up(None, CommitId("a"), 2.0)
    folder.shown(CommitId("a"), 3.0)
    with pytest.raises(TryAgain), folder.failures():
        raise TryAgain("x")
    return {name: labels for registry in (node.registry, publisher.registry) for name, labels in samples(registry)}


def samples(registry: Registry) -> Iterator[tuple[str, set[str]]]:
    for family in registry.collect():
        for sample in family.samples:
            yield sample.name, {"instance", "job", *sample.labels}


EXPORTED = exported() | _OF_THE_SERVER


def asked(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric of an expression, with the labels that are asked of it."""
    plain = re.sub(r'"[^"]*"', '""', expression)
    grouped = {
        label for group in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", plain) for label in re.split(r"[,\s]+", group)
    }
    without = re.sub(r"\b(?:by|on)\s*\([^)]*\)", "", plain)
    for name, matchers in re.findall(
        r"\b([a-z][a-z0-9_]*)\b\s*(\{[^}]*\})?(?!\s*\()", re.sub(r"\[[^]]*\]", "", without)
    ):
        if name in _WORDS or re.search(rf"\{{[^}}]*\b{name}\s*[=!]", without):
            continue
        yield name, set(re.findall(r"(\w+)\s*[=!]~?=?", matchers)) | grouped


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_expression_asks_for_what_is_exported(expression: str) -> None:
    found = list(asked(expression))
    assert found, "an expression about no metric"
    for name, labels in found:
        assert name in EXPORTED, name
        assert labels - {""} <= EXPORTED[name], (name, labels)


def test_wrong_name_or_label_would_be_noticed() -> None:
    wrong = 'sum by (folder) (rate(syncd_node_gone_total{user="x"}[5m])) > 3'
    assert list(asked(wrong)) == [("syncd_node_gone_total", {"folder", "user"})]


def test_every_metric_of_ours_is_shown_or_warned_of() -> None:
    used = {name.removesuffix("_bucket") for expression in expressions() for name, _ in asked(expression)}
    ours = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in EXPORTED if name.startswith("syncd_")}
    assert ours - used == set()


def test_rule_says_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) and all(name.startswith("SyncedFolders") for name in names)
    for rule in rules():
        notes = rule["annotations"]
        assert isinstance(notes, dict) and notes["summary"].endswith(".") and notes["action"], rule["alert"]


def test_dashboard_has_no_two_panels_in_one_place() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((FILES / "grafana-dashboard.json").read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (Debian's prometheus)")
def test_prometheus_itself_takes_the_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(FILES / "alerts.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (Debian's prometheus)")
def test_prometheus_itself_reads_the_dashboards_expressions(tmp_path: Path) -> None:
    plain = [expression.replace("$__rate_interval", "5m") for expression in sorted(set(expressions()))]
    rules = [{"record": f"panel:{n}", "expr": expression} for n, expression in enumerate(plain)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_part_of_the_package() -> None:
    from configparser import ConfigParser

    parser = ConfigParser()
    parser.read(FILES.parent / "setup.cfg")
    data = parser["options.data_files"]["share/synced-folders/monitoring"].split()
    assert data == ["monitoring/*"] and sys.version_info >= (3, 11)
