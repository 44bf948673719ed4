"""`alertmanager.alerts`: what else is firing now."""

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from responder.clients import Clients
from responder.errors import Permanent, Reason
from responder.model.evidence import Observation, Reproduction
from responder.model.kubernetes import time
from responder.model.redaction import redact
from responder.model.scraping import AlertGroup, FiringAlerts
from responder.probes import Inquiry, Probe
from responder.templating import MatcherText

KEPT = 200
LISTED = 10


class AlertmanagerAlerts(Probe):
    """What else fires now, counted by name, severity and namespace; `value` is how many alerts are active.

    The incident's own alerts are left out. Those that are silenced or inhibited are counted as suppressed.
    """

    matchers: tuple[MatcherText, ...] = Field((), description='Alertmanager\'s matchers, as `severity="critical"`')

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        answer = await clients.alertmanager.alerts(*self.matchers)
        own = {alert.fingerprint for alert in inquiry.alerts}
        others = [alert for alert in answer if alert.get("fingerprint") not in own]
        try:
            groups = _groups(others)
        except (KeyError, TypeError, AttributeError):
            raise Permanent("Alertmanager did not tell its alerts as it should", Reason.BAD_ANSWER) from None
        data = FiringAlerts(
            groups=tuple(groups[:KEPT]),
            active=sum(group.active for group in groups),
            suppressed=sum(group.suppressed for group in groups),
            own=len(answer) - len(others),
        )
        return Observation(
            summary=_summary(data),
            data=data,
            empty=not others,
            facts=tuple(_line(group) for group in groups[:LISTED]),
            value=float(data.active),
            truncated=f"{len(groups) - KEPT} more kinds of alerts" if len(groups) > KEPT else "",
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        url = clients.alertmanager.url
        command = ["amtool", f"--alertmanager.url={url}", "alert", "query", "--active", "--silenced", "--inhibited"]
        return (Reproduction(command=shlex.join([*command, *self.matchers])), Reproduction(link=f"{url}/#/alerts"))


def _groups(alerts: Sequence[Mapping[str, Any]]) -> list[AlertGroup]:
    """The alerts by name, severity and namespace; most active first."""
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for alert in alerts:
        labels = alert["labels"]
        found[labels.get("alertname", ""), labels.get("severity", ""), labels.get("namespace", "")].append(alert)
    groups = [
        AlertGroup(
            name=name,
            severity=severity,
            namespace=namespace,
            active=sum(_state(item) == "active" for item in items),
            suppressed=sum(_state(item) == "suppressed" for item in items),
            since=min((at for item in items if (at := time(item.get("startsAt"))) and at.tzinfo), default=None),
            summary=redact(str((items[0].get("annotations") or {}).get("summary", "")))[:256],
        )
        for (name, severity, namespace), items in found.items()
    ]
    return sorted(groups, key=lambda group: (-group.active, group.name, group.namespace))


def _state(alert: Mapping[str, Any]) -> str:
    return str(alert["status"]["state"])


def _summary(data: FiringAlerts) -> str:
    if not data.groups:
        return "nothing else fires"
    names = [f"{group.name} ×{group.active}" for group in data.groups if group.active][:3]
    listed = f" ({', '.join(names)})" if names else ""
    suppressed = f"; {data.suppressed} suppressed" if data.suppressed else ""
    return f"{data.active} other alert{'' if data.active == 1 else 's'} active{listed}{suppressed}"


def _line(group: AlertGroup) -> str:
    where = f" in {group.namespace}" if group.namespace else ""
    severity = f" ({group.severity})" if group.severity else ""
    suppressed = f", {group.suppressed} suppressed" if group.suppressed else ""
    since = f", since {group.since:%Y-%m-%d %H:%M} UTC" if group.since else ""
    return f"{group.name}{severity}{where}: {group.active} active{suppressed}{since}"
