from collections.abc import Callable

import pytest

from syncd.core.folding import Folding, fold, hidden, twins

CASE, FORM, BOTH, NOTHING = Folding.CASE, Folding.FORM, Folding.CASE | Folding.FORM, Folding.NOTHING
NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    ("one", "other", "folding", "same"),
    [
        ("lab.txt", "Lab.TXT", CASE, True),
        ("lab.txt", "Lab.TXT", FORM, False),
        ("lab.txt", "Lab.TXT", NOTHING, False),
        (NFC, NFD, FORM, True),
        (NFC, NFD, CASE, False),
        (NFC, NFD, BOTH, True),
        (NFC, NFD.upper(), BOTH, True),
        (NFC, NFC.upper(), CASE, True),
        ("Ångström", "A\u030angstro\u0308m", FORM, True),
        ("\u212b", "\u00e5", BOTH, True),  # the sign for Ångström
        ("Straße", "STRASSE", CASE, True),
        ("ﬀ", "ff", FORM, False),  # compatibility forms are names of their own
        ("\u1e9b\u0323", "\u1e69", BOTH, True),
        ("a\udcff", "A\udcff", CASE, True),  # bytes that are not UTF-8
        ("a\udcff", "a\udcfe", BOTH, False),
        ("lab.txt", "lab_txt", BOTH, False),
    ],
)
def test_names_that_a_disk_takes_for_one(one: str, other: str, folding: Folding, same: bool) -> None:
    assert (fold(one, folding) == fold(other, folding)) is same
    assert bool(twins([one, other], folding)) is (same and one != other)


NEVER: Callable[[str], bool] = lambda _: False  # noqa: E731


@pytest.mark.parametrize(
    ("kept", "there", "lay_there", "expected"),
    [
        ("a b", "", "", {}),  # no twins: both are simply gone
        ("a A", "a", "", {"A": "a"}),
        ("a A", "A", "a", {"a": "A"}),  # whatever lay there once
        ("a A", "a A", "", {}),  # a disk that tells them apart after all
        ("a A", "", "a", {"A": None}),  # a was deleted: A comes to light, and is not deleted
        ("a A", "", "a A", {}),  # both lay there, and were deleted
        ("a A", "", "", {"A": None, "a": "A"}),  # nobody knows: nothing is deleted, one comes to light
        ("aa AA aA", "", "aa", {"AA": None, "aA": "AA"}),
        ("aa AA", "Aa", "aa", {"AA": "Aa"}),  # aa was renamed, and still hides AA
        ("aa AA x", "x", "aa", {"AA": None}),
    ],
)
def test_what_is_hidden_is_never_gone(kept: str, there: str, lay_there: str, expected: dict[str, str | None]) -> None:
    assert hidden(kept.split(), there.split(), lay_there.split().__contains__, CASE) == expected
    assert hidden(kept.split(), there.split(), NEVER, NOTHING) == {}
