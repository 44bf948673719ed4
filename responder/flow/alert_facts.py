"""What the alerts of an incident say: the words of the rules' authors, and the labels that tell them apart. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from responder.model.incident import AlertState, TrackedAlert

WORDS = ("summary", "description", "message")
"""Annotations in which authors of rules say what is wrong."""
NAMES = 12
TEXTS = 4
VALUES = 4
DIFFERENCES = 6
COMMON = 12
_EVERYWHERE = frozenset({"alertname", "severity", "prometheus", "prometheus_replica", "uid"})
"""Labels that say nothing of which thing is meant, or that are shown elsewhere."""
_PLACE = frozenset({"namespace", "cluster"})


def burning(alerts: Sequence[TrackedAlert]) -> Sequence[TrackedAlert]:
    """Those that are not resolved, or all if all are."""
    return [alert for alert in alerts if alert.state is not AlertState.RESOLVED] or alerts


def wording(alerts: Sequence[TrackedAlert]) -> list[str]:
    """What the rules' authors wrote, each text once; of many the first ones, and how many more there are."""
    texts = list(dict.fromkeys(text for alert in burning(alerts) for text in _texts(alert.annotations)))
    return [*texts[:TEXTS], *_more(len(texts) - TEXTS)]


def label_lines(alerts: Sequence[TrackedAlert]) -> list[str]:
    """`queue: orders, invoices` for each label in which the alerts differ, then one line of those they share."""
    shown = burning(alerts)
    names = dict.fromkeys(name for alert in shown for name in alert.labels if name not in _EVERYWHERE)
    values = {name: list(dict.fromkeys(alert.labels.get(name, "") for alert in shown)) for name in sorted(names)}
    differing = {name: sorted(filter(None, known)) for name, known in values.items() if len(known) > 1}
    common = [f"{name}: {one}" for name, (one, *others) in values.items() if not others and name not in _PLACE]
    lines = [f"{name}: {listing(known)}" for name, known in differing.items()]
    shared = [" · ".join([*common[:COMMON], *_more(len(common) - COMMON)])] if common else []
    return [*lines[:DIFFERENCES], *_more(len(lines) - DIFFERENCES), *shared]


def common_labels(alerts: Sequence[TrackedAlert]) -> Mapping[str, str]:
    """The labels that all of the alerts have with the same value."""
    common = set(alerts[0].labels.items()) if alerts else set()
    for alert in alerts[1:]:
        common &= set(alert.labels.items())
    return dict(sorted(common))


def counted(alerts: Sequence[TrackedAlert], truncated: int = 0) -> list[str]:
    """`KubePodNotReady ×3`, most frequent first, with how many of them no longer fire."""
    every = Counter(_name(alert) for alert in alerts)
    over = Counter(_name(alert) for alert in alerts if alert.state is AlertState.RESOLVED)
    ended = over.total() == len(alerts)
    shown = [_counted(name, count, 0 if ended else over[name]) for name, count in every.most_common(NAMES)]
    if len(every) > NAMES:
        shown.append(f"{len(every) - NAMES} other names")
    if truncated:
        shown.append(f"{truncated} more that the sender left out")
    return shown


def listing(values: Sequence[str]) -> str:
    """`a, b, c, d and 146 more`."""
    more = len(values) - VALUES
    return ", ".join(values[:VALUES]) + (f" and {more} more" if more > 0 else "")


def _texts(annotations: Mapping[str, str]) -> Iterable[str]:
    """The texts of one alert; none that another one of them contains."""
    texts = [" ".join(annotations.get(name, "").split()) for name in WORDS]
    return [text for text in texts if text and not any(text != other and text in other for other in texts)]


def _counted(name: str, count: int, over: int) -> str:
    times = f" ×{count}" if count > 1 else ""
    return f"{name}{times} ({f'{over} ' if over < count else ''}resolved)" if over else name + times


def _name(alert: TrackedAlert) -> str:
    return " ".join(alert.name.split()) or "alert without a name"


def _more(count: int) -> list[str]:
    return [f"… and {count} more"] if count > 0 else []
