"""The table of `rules/README.md` has every part of KubeChat's guide, and leads to what is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import rules_index

ROOT = Path(__file__).parents[1]
RULES = ROOT / "rules"
README = (RULES / "README.md").read_text(encoding="utf-8")
GUIDE = ROOT.parent / "shared" / "guide" / "kubechat-operational-debugging-guide.md"


def rows() -> Iterator[tuple[str, str, str]]:
    """Part of the guide, file and place of each row of the table."""
    text = README.partition("## KubeChat's guide")[2].partition("## Corrections")[0]
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and cells != ["guide", "file", "where"]:
            assert len(cells) == 3, line
            yield cells[0], cells[1], cells[2]


ROWS = list(rows())


def parts(guide: str) -> Iterator[str]:
    """Every part that the guide names: headings, issues with their steps, commands, queries, metrics, levels."""
    fenced, issue = False, ""
    for line in guide.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            yield from of_an_issue(line, issue) if issue else of_a_block(line)
        else:
            issue = "" if line.startswith("#") else issue
            for found in re.finditer(r"^#{1,4} (.+)|^(?:- )?\*\*(.+?):?\*\*|^\d\. (.+)", line):
                part = next(filter(None, found.groups()))
                issue = part.removeprefix("Issue: ") if part.startswith("Issue: ") else ""
                yield part


def of_an_issue(line: str, issue: str) -> Iterator[str]:
    """The steps and kinds of advice of an issue."""
    for found in re.finditer(r"^  (\d\. .+?):\s*$|^(symptoms):|^  ([a-z_]+):\s*$", line):
        yield f"{issue}: {next(filter(None, found.groups()))}"


def of_a_block(line: str) -> Iterator[str]:
    """What comments, numbered output, metrics and levels are called."""
    shapes = (
        r"^(?:#{1,2}|--) (.+?)(?: \(using.*)?\s*$",
        r'^echo .*?"(?:\\n)?(\d\. .+?):"',
        r'^  - name: "(.+)"',
        r"^  ((?!P\d)[a-z]\w+):\s*$",
        r"^(\w+_metrics):",
    )
    for shape in shapes:
        yield from re.findall(shape, line)


@pytest.mark.skipif(not GUIDE.exists(), reason="the customer's guide is not beside this checkout")
def test_every_part_of_the_guide_is_in_the_table() -> None:
    named = {part for part, _, _ in ROWS}
    wanted = set(parts(GUIDE.read_text(encoding="utf-8")))
    assert len(wanted) > 120
    assert not sorted(wanted - named)


@pytest.mark.skipif(not GUIDE.exists(), reason="the customer's guide is not beside this checkout")
def test_every_severity_of_the_guide_is_in_the_table() -> None:
    for name in re.findall(r"^  (P\d_\w+):", GUIDE.read_text(encoding="utf-8"), re.MULTILINE):
        assert any(name in where for _, _, where in ROWS)


@pytest.mark.parametrize(("part", "files", "where"), ROWS, ids=[part for part, _, _ in ROWS])
def test_each_row_leads_to_what_is_there(part: str, files: str, where: str) -> None:
    paths = [RULES / name for name in re.findall(r"`([^`]+)`", files)]
    assert paths
    assert all(path.exists() for path in paths)
    texts = [path.read_text(encoding="utf-8") for path in paths if path.is_file() and path.name != "README.md"]
    for name in re.findall(r"`([\w-]+)`", where) if texts else ():
        assert any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts), f"{name} is not in {files}"


def test_the_index_of_the_rules_is_up_to_date() -> None:
    assert rules_index.page(README) == README, "run: make docs"
