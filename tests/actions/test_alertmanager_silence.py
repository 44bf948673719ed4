"""Silences: of the incident's alerts and of nothing else, with who and why."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from responder.actions import Inquiry
from responder.clients import Clients
from responder.errors import Reason, Temporary
from responder.model.subject import Target
from tests.actions.conftest import CATALOG
from tests.fakes.clients import FailingHttp, FakeAlertmanager
from tests.makers import NOW, alert

EVIL = 'x"; rm -rf / #`$(reboot)`\n{alertname=~".*"}'


@dataclass
class Quiet(FakeAlertmanager):
    """Keeps the silences that it is asked for; after `most` of them it is gone."""

    made: list[dict[str, Any]] = field(default_factory=list)
    most: int = 99

    async def silence(self, labels: Mapping[str, str], *, until: datetime, reason: str, by: str, mark: str) -> str:
        if len(self.made) >= self.most:
            raise Temporary("it is gone", Reason.UNREACHABLE)
        self.made.append({"labels": labels, "until": until, "reason": reason, "by": by, "mark": mark})
        return f"silence-{len(self.made)}"


ALERTS = (alert("Down", pod="a", team="shop"), alert("Down", pod="b", team="shop"), alert("Slow", team="shop"))


def asked(*alerts: Any) -> Inquiry:
    return Inquiry(Target(namespace="shop"), alerts or ALERTS, NOW, NOW)


async def test_each_rule_is_silenced_by_what_its_alerts_share() -> None:
    quiet = Quiet()
    clients = Clients("", FailingHttp(), alertmanager_client=quiet)
    action = CATALOG.build("alertmanager.silence", {"duration": "2h", "reason": "the shop moves"})
    seen = await action.preview(asked(), clients)
    assert seen.text == "Silence Down, Slow for 120m"
    assert quiet.made == []
    assert await action.apply(seen, clients, "Ada") == "made the silences silence-1, silence-2"
    assert [one["labels"] for one in quiet.made] == [
        {"alertname": "Down", "team": "shop"},
        {"alertname": "Slow", "team": "shop"},
    ]
    assert {(one["by"], one["reason"], one["until"]) for one in quiet.made} == {
        ("Ada", "the shop moves", NOW + timedelta(hours=2))
    }


async def test_what_has_ended_is_not_silenced() -> None:
    clients = Clients("", FailingHttp(), alertmanager_client=Quiet())
    over = alert("Down", status="resolved")
    seen = await CATALOG.build("alertmanager.silence", {}).preview(asked(over), clients)
    assert "nothing to silence" in seen.refusal
    seen = await CATALOG.build("alertmanager.silence", {}).preview(asked(over, *ALERTS[2:]), clients)
    assert seen.text == "Silence Slow for 60m"


async def test_labels_of_strangers_stay_one_word_of_the_command() -> None:
    clients = Clients("", FailingHttp(), alertmanager_client=Quiet())
    evil = replace_labels(EVIL)
    seen = await CATALOG.build("alertmanager.silence", {}).preview(asked(evil), clients)
    words = shlex.split(seen.commands[0])
    assert words[:4] == ["amtool", "--alertmanager.url=http://alertmanager:9093", "silence", "add"]
    escaped = EVIL.replace('"', '\\"').replace("\n", "\\n")
    assert words[-1] == f'team="{escaped}"'


async def test_a_silence_that_nobody_knows_of_is_told_with_those_that_were_made() -> None:
    quiet = Quiet(most=1)
    clients = Clients("", FailingHttp(), alertmanager_client=quiet)
    action = CATALOG.build("alertmanager.silence", {})
    seen = await action.preview(asked(), clients)
    with pytest.raises(Temporary, match="made the silence silence-1; then: it is gone"):
        await action.apply(seen, clients, "Ada")


def replace_labels(team: str) -> Any:
    return alert("Down").model_copy(update={"labels": {"alertname": "Down", "team": team}})
