"""A case as it is written down.

    source: https://…             where it was reported
    expected: what is wrong, in a sentence
    truth: {accept: [cause], objects: [kind/name], must: [word], generic: [cause], nothing: false}
                                  (`pod/api` are all pods of the workload api)
    alert: {name: KubePodCrashLooping, of: pod/api, labels: {…}, since: 20m}    (`pod/api:1` is its second)
    namespace: shop               where the workloads are
    around: 5                     how many healthy workloads stand beside them
    cni: calico                   calico, cilium, flannel or aws
    version: v1.31.4              of the kubelets
    workloads: […]                see `workloads.py`
    objects: […]                  other objects, as manifests; what the server fills in may be left out
    patches: […]                  changes to objects that are there by themselves: nodes, CoreDNS, CNI
    events: […]                   what else is said: {about: Kind/name, type, reason, message, count, first, last, from}
    prom: […]                     what a Prometheus answers, as the exam's truth has it

Ages are `90s`, `25m`, `3h`, `6d` before the alert is looked at. In every text `$(AGO:25m)` is such a moment; in the
texts of a pod there are `$(POD)`, `$(UID)`, `$(NODE)`, `$(IP)` and `$(NS)` too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

Raw = dict[str, Any]

HERE = Path(__file__).parent
HALVES = ("development", "held")
GENERIC = (
    *("crash-loop", "job-failed", "pod-unschedulable", "recent-rollout", "recent-change", "process-ends"),
    *("image-pull-failed", "volume-mount-failed", "pod-creation-refused", "readiness-probe-failing"),
    *("liveness-probe-failing", "startup-probe-failing", "service-without-endpoints", "rollout-failed"),
    *("ordered-update-blocked", "job-evidence-gone", "dependency-unavailable", "sandbox-creation-failed"),
)
"""Causes that only say again what the alert said, unless a case accepts them."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Description:
    """One case. `name` is that of its file: a number and a few words."""

    name: str
    source: str
    expected: str
    alert: Raw
    truth: Raw
    namespace: str
    workloads: Sequence[Raw] = ()
    objects: Sequence[Raw] = ()
    patches: Sequence[Raw] = ()
    events: Sequence[Raw] = ()
    prom: Sequence[Raw] = ()
    around: int = 5
    cni: str = "calico"
    version: str = "v1.31.4"

    @property
    def number(self) -> int:
        """The number in its name, which says in which half it is."""
        return int(self.name.partition("-")[0])

    def verdict_rules(self) -> Raw:
        """The truth as the exam writes it, with everything that may be left out."""
        accept = list(self.truth.get("accept", ()))
        return {
            "expected": self.expected,
            "source": self.source,
            "accept": accept,
            "objects": list(self.truth.get("objects", ())),
            "must": list(self.truth.get("must", ())),
            "generic": [cause for cause in self.truth.get("generic", GENERIC) if cause not in accept],
            "nothing": bool(self.truth.get("nothing", False)),
            **({"prom": list(self.prom)} if self.prom else {}),
        }


def read(file: Path) -> Description:
    """The description in a file; raises TypeError where it has a key that there is not."""
    return Description(name=file.stem, **yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER))


def descriptions(half: str) -> list[Description]:
    """The cases of a half, by number."""
    return sorted(map(read, (HERE / half).glob("*.yaml")), key=lambda case: case.number)


def ago(text: str) -> timedelta:
    """An age: `25m`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not match:
        raise ValueError(f"{text!r} is no age: write 90s, 25m, 3h or 6d")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> Raw:
    """A change laid over an object: mappings are merged, conditions by their type, other lists replaced."""
    result = dict(base)
    for key, value in change.items():
        if isinstance(value, Mapping):
            result[key] = merged(result.get(key) or {}, value)
        elif key == "conditions":
            by_type = {item["type"]: item for item in result.get(key, ())}
            for item in value:
                by_type[item["type"]] = {**by_type.get(item["type"], {}), **item}
            result[key] = list(by_type.values())
        else:
            result[key] = value
    return result
