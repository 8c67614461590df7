"""A student who keeps a lot is told so before the disk is full; nothing is refused."""

from pathlib import Path

import pytest

from syncd.agent.soft_limit import Kept, SoftLimit, counted


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (SoftLimit(1 << 20, 10), None),
        (SoftLimit(100 << 10, 10), "Your own files here take more than 0 MB: delete what you don't need."),
        (SoftLimit(1 << 30, 3), "You have more than 3 files of your own here: delete what you don't need."),
    ],
)
def test_what_lies_in_the_layer_is_counted_up_to_the_limit(
    tmp_path: Path, limit: SoftLimit, expected: str | None
) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "deep" / "deeper" / "data.csv").write_bytes(b"x" * 200_000)
    (tmp_path / "sparse").touch()
    (tmp_path / "elsewhere").symlink_to("/")
    assert counted(tmp_path, limit).too_much == expected


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert counted(tmp_path / "gone", SoftLimit(0, 0)) == Kept(0)
