"""Verdict: what an incident comes to by its alerts, and the words of the timeline for it. Pure."""

from collections.abc import Iterable, Mapping

from responder.model.incident import AlertState, Incident, IncidentStatus, Severity, TrackedAlert

NAMED_AT_MOST = 5


def status_of(states: Iterable[AlertState]) -> IncidentStatus:
    """What an incident is, by what its alerts are."""
    found = set(states)
    if AlertState.FIRING in found:
        return IncidentStatus.FIRING
    return IncidentStatus.UNKNOWN if AlertState.UNKNOWN in found else IncidentStatus.RESOLVED


def severity_of(alerts: Iterable[TrackedAlert], before: Severity) -> Severity:
    """The highest of the alerts that fire, or may; as before where none does, and no lower where one's is unknown."""
    known = [alert.severity for alert in alerts if alert.state in (AlertState.FIRING, AlertState.UNKNOWN)]
    return min((severity or before for severity in known), default=before)


def verdict(before: Incident | None, after: Incident) -> str:
    """What became of the incident, in words; empty if it is as it was."""
    if before is None:
        return f"Opened as {after.severity}, runbook {after.runbook}" if after.open else "Recorded: it was over already"
    if before.status is after.status:
        return _shift(before, after) if after.open else ""
    match after.status:
        case IncidentStatus.RESOLVED:
            return "Resolved: none of its alerts fires any more"
        case IncidentStatus.UNKNOWN:
            return "; ".join(
                filter(None, ("Unknown: nobody says whether its alerts still fire", _shift(before, after)))
            )
        case IncidentStatus.FIRING:
            if not before.open:
                return f"Reopened as {after.severity}"
            return _joined("Fires on", _shift(before, after))


def _shift(before: Incident, after: Incident) -> str:
    """How the severity changed, in words; empty if it did not."""
    if after.severity < before.severity:
        return f"Raised from {before.severity} to {after.severity}"
    if after.severity > before.severity:
        return f"Lowered from {before.severity} to {after.severity}: its more severe alerts are over"
    return ""


def listing(names: Mapping[str, int]) -> str:
    """The names with how often each is, of many the first."""
    shown = [f"{name} ×{count}" if count > 1 else name for name, count in list(names.items())[:NAMED_AT_MOST]]
    more = len(names) - NAMED_AT_MOST
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))
