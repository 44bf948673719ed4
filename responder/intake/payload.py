"""Webhook bodies of Alertmanager (version 4, also as Grafana extends it) as notifications.

A clean body is validated in one pass; anything else goes to `responder.intake.repair`, which keeps what
can be used. Secrets in annotations are hidden; labels are kept as they are, they tell alerts apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from responder.intake.problems import LIMITS, BadPayload, Problem
from responder.intake.repair import EARLIEST, LATEST, plausible, repair, unquote
from responder.model.alert import Alert, AlertStatus, Notification
from responder.model.redaction import redact

__all__ = ["BadPayload", "Checked", "Problem", "check", "parse"]

_Text = Annotated[str, Field(max_length=LIMITS.text)]
_Name = Annotated[str, Field(min_length=1, max_length=LIMITS.name)]
_LabelValue = Annotated[str, Field(min_length=1, max_length=LIMITS.text)]


class _WireAlert(TypedDict):
    """An alert that needs no repair."""

    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    status: Literal["firing", "resolved"]
    fingerprint: Annotated[str, Field(min_length=1, max_length=LIMITS.fingerprint)]
    labels: Annotated[dict[_Name, _LabelValue], Field(max_length=LIMITS.names)]
    annotations: Annotated[dict[_Name, _Text], Field(max_length=LIMITS.names)]
    startsAt: Annotated[AwareDatetime, Field(ge=EARLIEST, lt=LATEST)]
    endsAt: NotRequired[AwareDatetime]
    generatorURL: NotRequired[_Text]


class _Wire(TypedDict):
    """A notification that needs no repair. `commonLabels` and the like are not read: they can be wrong."""

    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    alerts: Annotated[list[_WireAlert], Field(min_length=1, max_length=LIMITS.alerts)]
    receiver: _Text
    groupKey: NotRequired[_Text]
    groupLabels: NotRequired[dict[_Name, _Text]]
    status: NotRequired[Literal["firing", "resolved"]]
    externalURL: NotRequired[_Text]
    notification_reason: NotRequired[_Text]
    truncatedAlerts: NotRequired[Annotated[int, Field(ge=0, le=LIMITS.truncated)]]


class _GlancedAlert(TypedDict):
    """What makes an alert usable."""

    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    status: Literal["firing", "resolved"]
    labels: Annotated[dict[str, str], Field(min_length=1)]


class _Glance(TypedDict):
    """What makes a notification usable."""

    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    alerts: Annotated[list[_GlancedAlert], Field(min_length=1)]


_GLANCE: TypeAdapter[_Glance] = TypeAdapter(_Glance)
_WIRE: TypeAdapter[_Wire] = TypeAdapter(_Wire)
_ALERTS: TypeAdapter[tuple[Alert, ...]] = TypeAdapter(tuple[Alert, ...])
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Checked:
    """How many alerts of a body can be used, by status."""

    firing: int
    resolved: int

    @property
    def alerts(self) -> int:
        """All of them."""
        return self.firing + self.resolved


def check(body: bytes) -> Checked:
    """Whether the body can be used, without building records; raises BadPayload.

    An alert with a status and labels always can: what else is wrong with it is repaired when it is parsed.
    """
    try:
        glanced = _GLANCE.validate_json(body)["alerts"]
    except ValidationError:
        repaired = repair(body, id=0, received_at=datetime.now(UTC)).alerts
        firing = sum(alert.status is AlertStatus.FIRING for alert in repaired)
        return Checked(firing, len(repaired) - firing)
    usable = glanced[: LIMITS.alerts]
    firing = sum(alert["status"] == "firing" for alert in usable)
    return Checked(firing, len(usable) - firing)


def parse(body: bytes, *, id: int, received_at: datetime) -> Notification:  # noqa: A002
    """The notification that a body holds, repaired where needed; raises BadPayload if nothing is usable."""
    wire = _clean(body)
    if wire is None:
        return repair(body, id=id, received_at=received_at)
    status = wire.get("status")
    # alerts of a group share most of their annotations
    hidden = cache(redact)
    return Notification(
        id=id,
        received_at=received_at,
        alerts=_ALERTS.validate_python([_fields(alert, hidden) for alert in wire["alerts"]]),
        receiver=unquote(wire["receiver"]),
        group_key=wire.get("groupKey", ""),
        group_labels=wire.get("groupLabels", {}),
        status=AlertStatus(status) if status else None,
        external_url=wire.get("externalURL", ""),
        reason=wire.get("notification_reason", ""),
        alerts_truncated=wire.get("truncatedAlerts", 0),
    )


def _clean(body: bytes) -> _Wire | None:
    """The body, if nothing about it needs repair. An escaped NUL is looked for in the bytes: cheaper."""
    if b"\\u0000" in body:
        return None
    try:
        wire = _WIRE.validate_json(body)
    except ValidationError:
        return None
    alerts = wire["alerts"]
    if len({alert["fingerprint"] for alert in alerts}) < len(alerts):
        return None
    ends = [alert.get("endsAt", _NEVER) for alert in alerts if alert["status"] == "resolved"]
    return wire if all(map(plausible, ends)) else None


def _fields(alert: _WireAlert, hidden: Callable[[str], str]) -> Mapping[str, Any]:
    return {
        "key": alert["fingerprint"],
        "fingerprint": alert["fingerprint"],
        "status": alert["status"],
        "labels": alert["labels"],
        "annotations": {name: hidden(text) for name, text in alert["annotations"].items()},
        "starts_at": alert["startsAt"],
        "ends_at": alert.get("endsAt") if alert["status"] == "resolved" else None,
        "generator_url": alert.get("generatorURL", ""),
    }
