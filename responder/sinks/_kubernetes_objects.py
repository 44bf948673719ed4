"""The object of a cluster that an incident is about, as an event names it."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from responder.clients.discovery import USUAL, WELL_KNOWN
from responder.model.message import Message

LONGEST_NAME = 253
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_SPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_KINDS = {kind: (name, group, namespaced) for name, (group, kind, namespaced) in WELL_KNOWN.items()}
_WORKLOADS = {kind.lower(): kind for kind in ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")}


@dataclass(frozen=True)
class Place:
    """An object; `namespace` is empty where it has none."""

    kind: str
    name: str
    namespace: str

    @property
    def resource(self) -> str:
        """As kubectl names it: `deployments.apps`."""
        name, group, _ = _KINDS[self.kind]
        return f"{name}.{group}".rstrip(".")

    @property
    def version(self) -> str:
        """The usual version of its kind, `apps/v1`."""
        group = _KINDS[self.kind][1]
        return f"{group}/{USUAL[group][0]}" if group else "v1"

    @property
    def event_namespace(self) -> str:
        """Where its events are: those of objects without a namespace are in `default`."""
        return self.namespace or "default"


def place_of(message: Message) -> Place | None:
    """What the finding names, else what the incident is about, else where was looked; None if nothing is known.

    Labels of alerts name objects too: what is no valid name is none.
    """
    return next(_places(message), None)


def event_name(place: Place, key: str) -> str:
    """The same for all news of an incident about the object."""
    about = f"{key}\n{place.kind}\n{place.namespace}\n{place.name}"
    digest = hashlib.blake2b(about.encode(), digest_size=8).hexdigest()
    return f"{place.name[: LONGEST_NAME - len(digest) - 1].rstrip('-.')}.{digest}"


def _places(message: Message) -> Iterator[Place]:
    report = message.report
    if report is None:
        return
    target = report.target
    named = [finding.subject for finding in report.findings[:1]] + [report.subject]
    found = [(subject.kind, subject.name, subject.namespace or target.namespace) for subject in named]
    kind, _, name = target.workload.partition("/")
    found += [
        (_WORKLOADS.get(kind, ""), name, target.namespace),
        ("Pod", target.pod, target.namespace),
        ("Node", target.node, ""),
        ("Namespace", target.namespace, ""),
    ]
    for kind, name, namespace in found:
        if kind not in _KINDS or len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
            continue
        if not _KINDS[kind][2]:
            yield Place(kind, name, "")
        elif len(namespace) <= 63 and _SPACE.fullmatch(namespace):
            yield Place(kind, name, namespace)
