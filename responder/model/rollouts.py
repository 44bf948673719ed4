"""Rollout history: the revisions of a workload and what changed from one to the next."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from responder.model.kubernetes import Event, Object, mapping, mappings, quantity, string
from responder.model.numbers import seconds
from responder.model.redaction import redact_value

REVISION = "deployment.kubernetes.io/revision"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_MOST_CHANGES = 6
_LONGEST = 80


@dataclass(frozen=True)
class Revision:
    """A pod template as it was rolled out. `at` is when, where known; `again` says that it is an older one's.

    `left`: it was rolled back from.
    """

    number: int
    name: str
    template: Mapping[str, Any]
    at: datetime | None
    again: bool = False
    left: bool = False
    created: datetime | None = None

    @property
    def images(self) -> str:
        """The images of its containers."""
        containers = mappings(mapping(self.template.get("spec")).get("containers"))
        return ", ".join(filter(None, (string(container.get("image")) for container in containers)))


def revisions(objects: Sequence[Mapping[str, Any]]) -> list[Revision]:
    """The revisions that ReplicaSets (of a deployment) or ControllerRevisions keep, oldest first.

    A rollback gives an old ReplicaSet the newest number; only its events tell when.
    """
    events = [Event(item) for item in objects if item["kind"] == "Event"]
    found: list[Revision] = []
    for item in sorted(map(Object, objects), key=_number):
        template = _template(item)
        if template is None or not _number(item):
            continue
        again = any(item.created and other.at and item.created < other.at for other in found)
        at = _scaled_at(item.name, events) if again else item.created
        # an older template that has a newer number: what came between was left for it
        left = [replace(one, left=one.left or _is_newer(one, item)) for one in found]
        found = [*left, Revision(_number(item), item.name, template, at, again, created=item.created)]
    return found


def told(history: Sequence[Revision], started_at: datetime) -> Iterator[str]:
    """One line for each of the last revisions, the newest first, with what changed."""
    for before, after in list(zip([None, *history], history, strict=False))[:-4:-1]:
        what = "; ".join(changes(before.template, after.template)) if before else ""
        back = "back to an older template: " if after.again else ""
        yield f"revision {after.number} {_when(after.at, started_at)}: {back}{what or after.images}"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs between two pod templates: `api.resources.limits.memory: 512Mi → 256Mi`."""
    found = [
        *_compare(_annotations(before), _annotations(after), "annotation"),
        *_compare(mapping(before.get("spec")), mapping(after.get("spec")), ""),
    ]
    found.sort(key=lambda change: (".image: " not in change, ".resources.limits." not in change))
    more = len(found) - _MOST_CHANGES
    return found[:_MOST_CHANGES] + ([f"{more} more"] if more > 0 else [])


def _number(item: Object) -> int:
    text = item.raw.get("revision") if item.kind == "ControllerRevision" else item.annotations.get(REVISION)
    return int(text) if str(text).isdecimal() else 0  # type: ignore[arg-type]


def _is_newer(revision: Revision, item: Object) -> bool:
    return bool(revision.created and item.created and revision.created > item.created)


def _template(item: Object) -> Mapping[str, Any] | None:
    if item.kind not in ("ReplicaSet", "ControllerRevision"):
        return None
    spec = item.spec if item.kind == "ReplicaSet" else mapping(mapping(item.raw.get("data")).get("spec"))
    template = spec.get("template")
    return template if isinstance(template, Mapping) else None


def _scaled_at(name: str, events: Sequence[Event]) -> datetime | None:
    """When a ReplicaSet was last scaled up, by the deployment controller's own words."""
    said = [e.last for e in events if e.reason == "ScalingReplicaSet" and f"Scaled up replica set {name} " in e.message]
    return max((at for at in said if at), default=None)


def _when(at: datetime | None, started_at: datetime) -> str:
    if at is None:
        return "at an unknown time"
    apart = (started_at - at).total_seconds()
    side = "before" if apart >= 0 else "after"
    return f"at {at:%Y-%m-%d %H:%M:%S} UTC, {seconds(abs(apart))} {side} the alert began"


def _annotations(template: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(template.get("metadata")).get("annotations"))


def _compare(before: Any, after: Any, place: str) -> Iterator[str]:
    if before == after or _same_amount(before, after, place):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _compare(before.get(key), after.get(key), f"{place}.{key}".lstrip("."))
    elif _named(before) and _named(after):
        left, right = {item["name"]: item for item in before}, {item["name"]: item for item in after}
        inside = "" if place in ("containers", "initContainers") else f"{place}."
        for name in sorted({*left, *right}):
            yield from _compare(left.get(name), right.get(name), f"{inside}{name}")
    else:
        yield f"{place}: {_shown(before, place)} → {_shown(after, place)}"


def _same_amount(before: Any, after: Any, place: str) -> bool:
    """Whether two quantities differ in writing only: `1000m` and `1`."""
    if ".resources." not in place or not isinstance(before, str) or not isinstance(after, str):
        return False
    return quantity(before) is not None and quantity(before) == quantity(after)


def _named(items: Any) -> bool:
    return isinstance(items, list) and all(isinstance(item, Mapping) and "name" in item for item in items)


def _shown(value: Any, place: str) -> str:
    if value is None:
        return "none"
    parts = place.split(".")
    if parts[-1] == "value" and len(parts) > 1:
        pair = redact_value({"name": parts[-2], "value": value})
        value = pair["value"] if isinstance(pair, dict) else ""
    else:
        value = redact_value(value)
        if isinstance(value, Mapping) and value.keys() == {"name", "value"}:
            value = value["value"]
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), sort_keys=True)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
