"""Contrast of the page's colours, from the stylesheet itself (WCAG 2.1, AA: 4.5 for text, 3 for shapes)."""

import re
from pathlib import Path

import pytest

import hub_plugin
import syncd.look
import syncd.page

HOUSE = (Path(syncd.look.__file__).parent / "static/house.css").read_text()
OTHERS = [
    Path(hub_plugin.__file__).parent / "static/page.css",
    Path(syncd.page.__file__).parent / "static/folders.css",
]
LIGHT, DARK = THEMES = [
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", HOUSE, re.S)
]
TEXT = ["text", "muted", "link", "good", "busy", "wait", "bad"]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("colour", "ground", "least"),
    [(colour, ground, 4.5) for colour in TEXT for ground in ("ground", "card", "bar")]
    + [("text", "bad-ground", 4.5), ("muted", "bad-ground", 4.5), ("good", "bar", 3), ("muted", "bar", 3)],
)
def test_colours_have_contrast(theme: dict[str, str], colour: str, ground: str, least: float) -> None:
    assert contrast(theme[colour], theme[ground]) >= least


def test_text_on_a_button_and_the_edge_of_a_field_have_contrast() -> None:
    for theme in THEMES:
        assert contrast(theme["on-link"], theme["link"]) >= 4.5
        assert contrast(theme["field"], theme["card"]) >= 3


def test_both_themes_set_the_same_colours_and_no_other_style_sets_any() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert len(LIGHT) >= 12
    for style in OTHERS:
        assert not re.search(r"#[0-9a-f]{3,6};", style.read_text())
