"""Silencing: which labels quiet some alerts and as little else as can be. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from responder.errors import Permanent, Reason

MOST = 20
Labels = Mapping[str, str]


def selections(alerts: Iterable[Labels]) -> Sequence[Labels]:
    """For each rule whose alerts these are, the labels that they all have: `alertname` is one of them.

    Alerts without a name are silenced one by one, by all of their labels. Raises Permanent where none is left, or
    where there are too many to be one decision.
    """
    groups: dict[str, list[Labels]] = defaultdict(list)
    for number, labels in enumerate(alerts):
        if any(labels.values()):
            groups[labels.get("alertname") or f"\n{number}"].append(labels)
    found = [_shared(group) for group in groups.values()]
    if not found:
        raise Permanent("no alert of the incident fires: there is nothing to silence", Reason.BAD_REQUEST)
    if len(found) > MOST:
        message = (
            f"{len(found)} silences would be needed, at most {MOST} are made at once: silence them in Alertmanager"
        )
        raise Permanent(message, Reason.TOO_LARGE)
    return found


def _shared(group: Sequence[Labels]) -> Labels:
    return {
        name: value for name, value in sorted(group[0].items()) if value and all(o.get(name) == value for o in group)
    }
