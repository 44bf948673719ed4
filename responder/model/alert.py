"""Alerts and the notifications that bring them, as Alertmanager has them."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, Field

from responder.model.record import Record


class AlertStatus(StrEnum):
    """What the sender says of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(Record):
    """One alert of one notification.

    `fingerprint` is the sender's, or computed as Alertmanager does where it sent none.
    `key` tells alerts apart: the fingerprint, with a hash of the labels appended where two
    different alerts of one notification share a fingerprint.
    `starts_at` is the sender's; where it sent none it is the time of receipt and
    `starts_at_known` is false. `ends_at` is set on resolved alerts only. `runbook` is set where a person
    (`opened_by`) started that runbook by hand; no webhook can set it.
    """

    key: str
    fingerprint: str
    status: AlertStatus
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    starts_at: AwareDatetime
    starts_at_known: bool = True
    ends_at: AwareDatetime | None = None
    generator_url: str = ""
    runbook: str = ""
    opened_by: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The rule's name; Grafana hides it in `rulename` for its no-data alerts."""
        name = self.labels.get("alertname", "")
        if name in ("DatasourceNoData", "DatasourceError"):
            return self.labels.get("rulename", name)
        return name

    @property
    def summary(self) -> str:
        """The sender's one-line description, whatever annotation holds it."""
        for annotation in ("summary", "title", "description", "message", "details"):
            if text := self.annotations.get(annotation, "").strip():
                return text
        return ""


class Notification(Record):
    """One webhook delivery: a group of alerts, told by one receiver.

    `id` is the journal's and grows with the order of receipt. `alerts_truncated` is how many
    alerts the sender left out. `receiver` is unquoted; `group_key` is opaque.
    """

    id: int
    received_at: AwareDatetime
    alerts: tuple[Alert, ...]
    receiver: str = ""
    group_key: str = ""
    group_labels: Mapping[str, str] = Field(default_factory=dict)
    status: AlertStatus | None = None
    external_url: str = ""
    reason: str = ""
    alerts_truncated: int = 0
    remarks: tuple[str, ...] = ()


def earliest(alerts: tuple[Alert, ...], otherwise: datetime) -> datetime:
    """When the first of the alerts began."""
    return min((alert.starts_at for alert in alerts), default=otherwise)
