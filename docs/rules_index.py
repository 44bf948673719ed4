"""Writes the index of `rules/README.md`: which runbook answers an alert, what it asks, what it may do: `make docs`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from responder import detectors, plugins, probes
from responder.documents import read
from responder.model.runbook import Runbook
from responder.probes import Probe
from responder.runbooks.loading import load, shipped, shipped_rules
from responder.runbooks.matchers import literals, parse
from responder.runbooks.rulebook import NAME, PLAIN_NAME, Rulebook

BEGIN = "<!-- The index is generated from the rules by `make docs`. -->"
END = "<!-- The end of the index. -->"
_EXAMPLE = {"namespace": "kubechat-system", "persistentvolumeclaim": "data-postgres-0"}
"""Labels that KubeChat's alerts have beside those of the rule."""


def page(text: str) -> str:
    """The text of the README with its index made anew; raises ValueError where it has no place for one."""
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"rules/README.md needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{index()}\n{END}{after}"


def index() -> str:
    """One table for each folder of runbooks."""
    book = load(shipped_rules(), plugins.load(probes, Probe, "probe", dotted=True), detectors.load())  # type: ignore[type-abstract]
    fired = _alerts(book)
    lines: list[str] = []
    for folder, files in _folders().items():
        lines += [f"### {folder}\n", "| alerts | runbook | asks | may do |", "|---|---|---|---|"]
        lines += [_row(book.runbooks[name], place, fired.get(name, ())) for name, place in files]
        lines += [""]
    return "\n".join(lines)


def _row(runbook: Runbook, place: str, fired: Sequence[str]) -> str:
    alerts = list(dict.fromkeys((*fired, *_matched(runbook))))
    asked = sorted({step.probe for step in runbook.investigate})
    actions = [f"{action.title or action.id} (`{action.action}`, {action.mode})" for action in runbook.actions]
    steps = [f"a procedure of {len(runbook.procedure)} steps"] if runbook.procedure else []
    cells = (
        ", ".join(f"`{name}`" for name in alerts) or "every other alert",
        f"[{runbook.name}]({place})",
        ", ".join(f"`{kind}`" for kind in asked),
        "; ".join([*actions, *steps]),
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _matched(runbook: Runbook) -> Iterator[str]:
    """The names that the matchers list, or the expression that names have to fit."""
    for matchers in map(parse, runbook.match):
        names = literals(matchers, NAME)
        if names is not None:
            yield from names
        else:
            yield from (matcher.value for matcher in matchers.matchers if matcher.name in (NAME, PLAIN_NAME))


def _alerts(book: Rulebook) -> Mapping[str, Sequence[str]]:
    """The alerts that ship, by the runbook that answers them."""
    found: dict[str, list[str]] = {}
    for file in sorted((shipped() / "alerts").glob("*.yaml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if name := rule.get("alert"):
                    labels = {"alertname": name, **_EXAMPLE, **rule.get("labels", {})}
                    found.setdefault(book.match(labels).name, []).append(name)
    return found


def _folders() -> Mapping[str, Sequence[tuple[str, str]]]:
    """Names of runbooks with their files, by folder."""
    found: dict[str, list[tuple[str, str]]] = {}
    root = shipped() / "runbooks"
    for file in sorted(root.rglob("*.yaml")):
        folder = str(file.parent.relative_to(root)) if file.parent != root else "everything else"
        for document in read(file):
            if document.data.get("kind") == "Runbook":
                place = str(file.relative_to(shipped()))
                found.setdefault(folder, []).append((document.data["metadata"]["name"], place))
    return dict(sorted(found.items(), key=lambda item: item[0] == "everything else"))


def write(readme: Path) -> bool:
    """Bring the README up to date; returns whether it changed."""
    text = readme.read_text(encoding="utf-8")
    new = page(text)
    if new != text:
        readme.write_text(new, encoding="utf-8")
    return new != text
