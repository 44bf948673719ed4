"""The spellings of a label: `exported_namespace`, `k8s.namespace.name` and `kube_namespace` name one thing. Pure.

A scrape renames a label that it would overwrite (`exported_`), OpenTelemetry writes `k8s.namespace.name` or
`k8s_namespace_name`, Elastic and older Prometheus configurations `kubernetes_namespace`, Datadog `kube_namespace`,
Google `namespace_name`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

PLAIN = ""
EXPORTED = "exported"
FAMILIES = (EXPORTED, "k8s", "kubernetes", "kube", PLAIN)
"""Who writes a label so, the most explicit first."""

_PREFIXES = ("k8s_", "kubernetes_", "kube_")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_THINGS = {
    **{
        name: name
        for name in (
            *("namespace", "pod", "container", "node", "service", "ingress"),
            *("deployment", "statefulset", "daemonset", "cronjob", "replicaset", "replicationcontroller"),
            *("horizontalpodautoscaler", "persistentvolumeclaim", "persistentvolume"),
            *("poddisruptionbudget", "resourcequota"),
        )
    },
    "nodename": "node",
    "io_hostname": "node",
    "stateful_set": "statefulset",
    "daemon_set": "daemonset",
    "cron_job": "cronjob",
    "replica_set": "replicaset",
    "replication_controller": "replicationcontroller",
    "hpa": "horizontalpodautoscaler",
    "pvc": "persistentvolumeclaim",
    "pdb": "poddisruptionbudget",
    "resource_quota": "resourcequota",
}
_SUFFIX = "_name"


def spelled(labels: Mapping[str, str]) -> Mapping[str, Mapping[str, list[str]]]:
    """The values of each thing by family. Things are named as kube-state-metrics names its labels."""
    found: dict[str, dict[str, list[str]]] = {}
    known = [(name, meant) for name in labels if labels[name] and (meant := meaning(name))]
    for name, (thing, family) in sorted(known, key=lambda item: (len(item[0]), item)):
        found.setdefault(thing, {}).setdefault(family, []).append(labels[name])
    return found


@lru_cache(maxsize=4096)
def meaning(name: str) -> tuple[str, str] | None:
    """The thing that a label names, and the family of its spelling; None where it has only its own meaning."""
    word = _CAMEL.sub("_", name).lower().replace(".", "_")
    family = PLAIN
    if word.startswith("exported_"):
        family, word = EXPORTED, word.removeprefix("exported_")
    for prefix in _PREFIXES:
        if word.startswith(prefix):
            family, word = family or prefix.removesuffix("_"), word.removeprefix(prefix)
            return _of_kubernetes(word, family)
    if word in ("job", "instance"):
        return word, family
    if word == "job_name":
        return word, family
    thing = _THINGS.get(word) or _THINGS.get(word.removesuffix(_SUFFIX))
    return (thing, family) if thing else None


def _of_kubernetes(word: str, family: str) -> tuple[str, str] | None:
    """What a word means that a prefix marks as Kubernetes' own: there a job is an object, not a scrape."""
    if word == "name":
        return "service", family
    word = word.removesuffix(_SUFFIX)
    if word == "job":
        return "job_name", family
    if word == "cluster":
        return word, family
    thing = _THINGS.get(word)
    return (thing, family) if thing else None
