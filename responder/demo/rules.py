"""The shipped alerts of KubeChat with short windows, so that a demo of a minute shows them firing."""

import re
from datetime import timedelta
from typing import Any

import yaml

from responder.model.runbook import duration
from responder.runbooks import loading

WINDOW = timedelta(seconds=15)
HOLD = timedelta(seconds=2)

_RANGE = re.compile(r"\[([0-9smhdwy]+)((?::[0-9smhdwy]*)?)\]")


def hastened(rules: dict[str, Any]) -> dict[str, Any]:
    """Prometheus rules with every window and `for` cut down, evaluated every second."""
    groups = [
        {**group, "interval": "1s", "rules": [_hastened_rule(rule) for rule in group["rules"]]}
        for group in rules["groups"]
    ]
    return {"groups": groups}


def shipped() -> dict[str, Any]:
    """The rules of KubeChat's alerts as they are shipped."""
    rules: dict[str, Any] = yaml.safe_load((loading.shipped() / "alerts" / "kubechat.yaml").read_text())
    return rules


def _hastened_rule(rule: dict[str, Any]) -> dict[str, Any]:
    short = {**rule, "expr": _RANGE.sub(lambda found: f"[{_cut(found[1], WINDOW)}{found[2]}]", rule["expr"])}
    for key in ("for", "keep_firing_for"):
        if key in rule:
            short[key] = _cut(rule[key], HOLD)
    return short


def _cut(text: str, most: timedelta) -> str:
    given = duration(text)
    shorter = min(given, most) if isinstance(given, timedelta) else most
    return f"{int(shorter.total_seconds())}s"
