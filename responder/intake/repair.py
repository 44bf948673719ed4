"""Reads webhook bodies that are not quite as Alertmanager sends them, and keeps what can be used.

What was wrong with a usable alert is in its `remarks`; alerts that are of no use are left out, which the
remarks of the notification say.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

from pydantic import TypeAdapter, ValidationError

from responder.intake.problems import LIMITS, BadPayload, Notes, Problem
from responder.model.alert import Alert, AlertStatus, Notification
from responder.model.labels import fingerprint
from responder.model.redaction import redact

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_STATUS = 'wanted is "firing" or "resolved"'
_TIME = "wanted is a time as RFC 3339 writes it"
_WORDS = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
_ANY_TIME: TypeAdapter[datetime] = TypeAdapter(datetime)
_QUOTED = re.compile(r"\\([\\.+*?()|\[\]{}^$])")


def unquote(receiver: str) -> str:
    """The receiver's name without the quoting that Alertmanager adds (Go's regexp.QuoteMeta)."""
    return _QUOTED.sub(r"\1", receiver) if "\\" in receiver else receiver


def plausible(moment: datetime) -> bool:
    """Whether it is a time that an alert can have, neither Go's zero time nor one that no clock shows."""
    return EARLIEST <= moment < LATEST


def repair(body: bytes, *, id: int, received_at: datetime) -> Notification:  # noqa: A002
    """The notification that a body holds; raises BadPayload if nothing is usable."""
    notes = Notes("")
    payload = _load(body, notes)
    given = payload.get("alerts")
    if not isinstance(given, list) or not given:
        raise BadPayload([Problem("/alerts", f"wanted is a list of at least one alert{_guess(payload)}")])
    if "receiver" not in payload:
        notes.remarks.append("receiver: none was sent")
    group_status = _status(payload.get("status"))
    alerts: list[Alert] = []
    for index, item in enumerate(given[: LIMITS.alerts]):
        of_alert = Notes(f"/alerts/{index}")
        if (alert := _alert(item, group_status, received_at, of_alert)) is not None:
            alerts.append(alert)
        else:
            notes.problems += of_alert.problems
            notes.remarks += [f"alert {index} left out: {problem}" for problem in of_alert.problems]
    if not alerts:
        raise BadPayload(notes.problems)
    too_many = len(given) - LIMITS.alerts
    if too_many > 0:
        notes.remarks.insert(0, f"{too_many} alerts left out: more than {LIMITS.alerts} in one notification")
    truncated = _count(payload.get("truncatedAlerts"), notes) + max(0, too_many)
    return Notification(
        id=id,
        received_at=received_at,
        alerts=_told_apart(alerts),
        receiver=unquote(_field(payload, "receiver", notes)),
        group_key=_field(payload, "groupKey", notes),
        group_labels=_cut("groupLabels", _strings(payload, "groupLabels", notes), notes),
        status=group_status,
        external_url=_field(payload, "externalURL", notes),
        reason=_field(payload, "notification_reason", notes),
        alerts_truncated=truncated,
        remarks=tuple(notes.remarks[: LIMITS.remarks]),
    )


def _load(body: bytes, notes: Notes) -> dict[str, object]:
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        payload = json.loads(text)
    except RecursionError:
        raise BadPayload([Problem("", "wanted is a JSON object, this is nested too deeply")]) from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise BadPayload([Problem("", f"wanted is a JSON object, this is not JSON ({at})")]) from None
    except ValueError:
        raise BadPayload([Problem("", "wanted is a JSON object, this holds a number that is too long")]) from None
    if not isinstance(payload, dict):
        wanted = "wanted is a JSON object with a list `alerts`, as Alertmanager's webhook sends it"
        raise BadPayload([Problem("", f"{wanted}, this is {_word(payload)}")])
    if "\ufffd" in text:
        notes.remarks.append("some characters are shown as \ufffd: they were no UTF-8")
    return payload


def _guess(payload: Mapping[str, object]) -> str:
    """What the sender may be, where it is not one that we understand."""
    shapes = "as Alertmanager's webhook (version 4) and Grafana's unified alerting send it"
    if "ruleUrl" in payload or "evalMatches" in payload:
        return f", {shapes}; this looks like Grafana's legacy alerting"
    if "alerts" in payload:
        return f", {shapes}; there is {_word(payload['alerts'])}"
    return f", {shapes}; this looks like a custom payload: remove the sender's payload template"


def _alert(item: object, group_status: AlertStatus | None, received_at: datetime, notes: Notes) -> Alert | None:
    if not isinstance(item, dict):
        notes.problems.append(Problem(notes.pointer, f"wanted is an object, this is {_word(item)}"))
        return None
    labels = {name: value for name, value in _strings(item, "labels", notes).items() if value}
    labels = _cut("labels", labels, notes)
    starts_at, ends_at = _moment(item, "startsAt", notes), _moment(item, "endsAt", notes)
    status = _alert_status(item, ends_at, group_status, received_at, notes)
    sent = _field(item, "fingerprint", notes)[: LIMITS.fingerprint]
    if not (labels or sent or _status(item.get("status"))):
        notes.add("labels", "wanted are labels or a fingerprint", "there are none")
        return None
    if status is None:
        return None
    if not labels:
        notes.remarks.append("labels: there are none")
    if starts_at is None:
        notes.remarks.append("startsAt: unknown; the time of receipt is shown")
    if status is AlertStatus.RESOLVED and ends_at is None:
        notes.remarks.append("endsAt: unknown; the time of receipt is shown")
    annotations = _cut("annotations", _strings(item, "annotations", notes), notes)
    mark = sent or fingerprint(labels)
    return Alert(
        key=mark,
        fingerprint=mark,
        status=status,
        labels=labels,
        annotations={name: redact(text) for name, text in annotations.items()},
        starts_at=starts_at or received_at,
        starts_at_known=starts_at is not None,
        ends_at=(ends_at or received_at) if status is AlertStatus.RESOLVED else None,
        generator_url=_field(item, "generatorURL", notes),
        remarks=tuple(notes.remarks[: LIMITS.remarks]),
    )


def _alert_status(
    item: Mapping[str, object],
    ends_at: datetime | None,
    group_status: AlertStatus | None,
    received_at: datetime,
    notes: Notes,
) -> AlertStatus | None:
    """The alert's own status; else what its end says, then the group; None where nothing tells."""
    if status := _status(item.get("status")):
        return status
    if ends_at is not None:
        derived: AlertStatus | None = AlertStatus.RESOLVED if ends_at <= received_at else AlertStatus.FIRING
    elif str(item.get("endsAt", "")).startswith("0001-01-01T"):
        derived = AlertStatus.FIRING
    else:
        derived = group_status or (None if item.get("status") else AlertStatus.FIRING)
    notes.add("status", _STATUS, f"taken as {derived}" if derived else "nothing tells it")
    return derived


def _status(value: object) -> AlertStatus | None:
    word = value.strip().lower() if isinstance(value, str) else ""
    return AlertStatus(word) if word in ("firing", "resolved") else None


def _moment(item: Mapping[str, object], name: str, notes: Notes) -> datetime | None:
    """A time, or None where it is absent, empty, zero or unreadable."""
    value = item.get(name)
    if value in (None, "", 0):
        return None
    try:
        moment = _ANY_TIME.validate_python(value)
    except ValidationError:
        notes.add(name, _TIME, "taken as unknown")
        return None
    if moment.year == 1:
        return None
    if moment.tzinfo is None:
        notes.add(name, f"{_TIME}, with its offset", "taken as UTC")
        moment = moment.replace(tzinfo=UTC)
    if not plausible(moment):
        notes.add(name, _TIME, "no clock shows this one, taken as unknown")
        return None
    return moment


def _strings(item: Mapping[str, object], name: str, notes: Notes) -> dict[str, str]:
    """A map of strings; numbers and booleans become strings, anything else in it is left out."""
    value = item.get(name)
    if not isinstance(value, dict):
        if value is not None:
            notes.add(name, f"wanted is an object of strings, this is {_word(value)}", "left out")
        return {}
    found: dict[str, str] = {}
    for key, content in islice(value.items(), LIMITS.names):
        text = _scalar(content)
        if text is None or not key:
            notes.remarks.append(f"{name}: {_word(content)} under {key[:80]!r} left out")
            continue
        if not isinstance(content, str):
            notes.remarks.append(f"{name}: {key[:80]!r} was {_word(content)}")
        found[_readable(key)[: LIMITS.name]] = text
    if len(value) > LIMITS.names:
        notes.remarks.append(f"{name}: {len(value) - LIMITS.names} more than {LIMITS.names} left out")
    return found


def _cut(what: str, strings: Mapping[str, str], notes: Notes) -> dict[str, str]:
    kept = {}
    for name, text in strings.items():
        kept[name] = _bounded(text)
        if len(text) > LIMITS.text:
            notes.remarks.append(f"{what}: {name[:80]!r} cut, it had {len(text)} characters")
    return kept


def _bounded(text: str) -> str:
    return text if len(text) <= LIMITS.text else text[: LIMITS.text - 1] + "…"


def _field(item: Mapping[str, object], name: str, notes: Notes) -> str:
    """A text that may be absent; a number becomes its digits, unrounded."""
    value = item.get(name)
    if value is None:
        return ""
    text = _scalar(value)
    if text is None:
        notes.add(name, f"wanted is a string, this is {_word(value)}", "left out")
        return ""
    return _bounded(text)


def _count(value: object, notes: Notes) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LIMITS.truncated:
        return value
    if value is not None:
        notes.add("truncatedAlerts", "wanted is a whole number, not negative", "taken as 0")
    return 0


def _scalar(value: object) -> str | None:
    if isinstance(value, str):
        return _readable(value)
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def _readable(text: str) -> str:
    """The text without NUL and lone surrogates: neither can be stored nor sent on."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _word(value: object) -> str:
    return _WORDS.get(type(value), "null")


def _told_apart(alerts: Sequence[Alert]) -> tuple[Alert, ...]:
    """Different alerts under one fingerprint get keys of their own."""
    by_fingerprint: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        by_fingerprint[alert.fingerprint].append(alert)
    clashing = {mark for mark, group in by_fingerprint.items() if any(a.labels != group[0].labels for a in group)}
    return tuple(_with_own_key(alert) if alert.fingerprint in clashing else alert for alert in alerts)


def _with_own_key(alert: Alert) -> Alert:
    return alert.model_copy(
        update={
            "key": f"{alert.fingerprint}-{fingerprint(alert.labels)}",
            "remarks": (*alert.remarks, "fingerprint: another alert of this notification has the same"),
        }
    )
