"""The benchmark's judge over a seeded course: it is independent of how the merge matches cells."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.slow


def test_a_seeded_course_merges_without_any_loss() -> None:
    command = [sys.executable, "-m", "tests.bench.bench_merge", "--triples", "60", "--seed", "1", "--notes"]
    run = subprocess.run([*command, "--without", "nbdime"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])
    ours = figures["ours"]
    assert figures["triples"] == 60
    assert [ours[key] for key in ("invalid", "markers", "answers_lost", "updates_missed")] == [0, 0, 0, 0]
    assert figures["git"]["updates_missed"] > 0, "the judge sees what git -Xours loses"


def test_the_benchmark_says_what_is_wrong_with_a_corpus(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench.bench_merge", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "is not a git repository" in run.stderr
