"""A status never looks like a part of the page: the classes that are made of data have a prefix of their own."""

import re
from pathlib import Path

import responder.web

FOLDER = Path(responder.web.__file__).parent
_CLASSES = re.compile(r'class="((?:[^"{]|\{\{.*?\}\}|\{%.*?%\})*)"')
_MADE = re.compile(r"(\S*)\{\{.*?\}\}")
_TABLES = ("column.form", "block.columns", "value.tone")
"""The forms and tones of cells, a closed set of our own."""


def test_every_class_that_is_made_of_data_begins_with_is() -> None:
    bare = [
        f"{file.name}: {made.group(0)}"
        for file in sorted((FOLDER / "templates").glob("*.html"))
        for classes in _CLASSES.findall(file.read_text(encoding="utf-8"))
        for made in _MADE.finditer(classes)
        if not made.group(1).startswith("is-") and not any(name in made.group(0) for name in _TABLES)
    ]
    assert bare == []


def test_no_rule_of_the_style_is_for_such_a_class_alone() -> None:
    style = (FOLDER / "static" / "style.css").read_text(encoding="utf-8")
    assert re.findall(r"(?:^|[\s,{}>+])\.is-[\w-]+\s*[,{]", style) == []
