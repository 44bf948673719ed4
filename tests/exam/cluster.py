"""The objects of a cluster, as an API server keeps them, and the files that `kubectl get -o json` would print."""

import hashlib
import json
import re
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.exam.description import Raw, ago, merged

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What generated names are made of (apimachinery, util/rand)."""

_KINDS = {
    "v1": "Pod Service Endpoints Event ConfigMap Secret ServiceAccount PersistentVolumeClaim PersistentVolume Node "
    "Namespace ResourceQuota LimitRange",
    "apps/v1": "Deployment ReplicaSet StatefulSet DaemonSet ControllerRevision",
    "batch/v1": "Job CronJob",
    "networking.k8s.io/v1": "NetworkPolicy Ingress IngressClass",
    "storage.k8s.io/v1": "StorageClass CSIDriver CSINode VolumeAttachment",
    "discovery.k8s.io/v1": "EndpointSlice",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "policy/v1": "PodDisruptionBudget",
    "coordination.k8s.io/v1": "Lease",
    "rbac.authorization.k8s.io/v1": "Role RoleBinding ClusterRole ClusterRoleBinding",
    "admissionregistration.k8s.io/v1": "ValidatingWebhookConfiguration MutatingWebhookConfiguration",
    "apiregistration.k8s.io/v1": "APIService",
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "scheduling.k8s.io/v1": "PriorityClass",
    "metrics.k8s.io/v1beta1": "PodMetrics NodeMetrics",
}
VERSIONS: Mapping[str, str] = {kind: version for version, kinds in _KINDS.items() for kind in kinds.split()}
"""The built-in kinds with their versions: of these a cluster says that it has none, too."""

UNSCOPED = {
    *("Node", "Namespace", "PersistentVolume", "StorageClass", "IngressClass", "ClusterRole", "ClusterRoleBinding"),
    *("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService", "CustomResourceDefinition"),
    *(
        "PriorityClass",
        "CSIDriver",
        "CSINode",
        "VolumeAttachment",
        "NodeMetrics",
        "ClusterIssuer",
        "ClusterSecretStore",
    ),
    *("GatewayClass", "NodePool", "EC2NodeClass", "ClusterPolicy"),
}


def plural(kind: str) -> str:
    """The resource of a kind, by the rules of English."""
    word = kind.lower()
    if word.endswith(("endpoints", "metrics")):
        return word
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(s|x|ch|sh)$", word) else "s")


class Cluster:
    """What is there at one moment. `seed` makes its random names its own, and the same each time."""

    def __init__(self, seed: str, now: datetime) -> None:
        self.now = now
        self._seed = seed
        self._revision = 184_000
        self._objects: dict[tuple[str, str, str], Raw] = {}
        self._logs: dict[Path, str] = {}

    def random(self, key: str, length: int = 5) -> str:
        """The random part of a generated name."""
        digest = hashlib.sha256(f"{self._seed}/{key}".encode()).digest()
        return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:length])

    def uid(self, key: str) -> str:
        """A uid."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._seed}/{key}"))

    def digest(self, key: str) -> str:
        """Sixty-four hexadecimal digits: the id of a container, the digest of an image."""
        return hashlib.sha256(f"{self._seed}/{key}".encode()).hexdigest()

    def revision(self) -> str:
        """The next resourceVersion."""
        self._revision += 7
        return str(self._revision)

    def before(self, age: str | timedelta) -> datetime:
        """The moment that is so long ago."""
        return self.now - (ago(age) if isinstance(age, str) else age)

    def at(self, age: str | timedelta) -> str:
        """The same, as the API writes it."""
        return stamp(self.before(age))

    def filled(self, value: Any, words: Mapping[str, str] = {}) -> Any:
        """A value with its placeholders replaced."""
        if isinstance(value, str):
            return re.sub(r"\$\((AGO:)?([^)\s]+)\)", lambda match: self._word(match, words), value)
        if isinstance(value, Mapping):
            return {key: self.filled(item, words) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [self.filled(item, words) for item in value]
        return value

    def _word(self, match: re.Match[str], words: Mapping[str, str]) -> str:
        return self.at(match[2]) if match[1] else words.get(match[2], match[0])

    def add(self, kind: str, name: str, namespace: str = "", *, age: str | timedelta = "40d", **fields: Any) -> Raw:
        """Keep an object; what the server fills in is filled in."""
        namespace = "" if kind in UNSCOPED else namespace
        metadata = fields.pop("metadata", {})
        item = {
            "apiVersion": fields.pop("apiVersion", "") or VERSIONS[kind],
            "kind": kind,
            "metadata": {
                "name": name,
                **({"namespace": namespace} if namespace else {}),
                "uid": self.uid(f"{kind}/{namespace}/{name}"),
                "resourceVersion": self.revision(),
                "creationTimestamp": self.at(age),
                **metadata,
            },
            **fields,
        }
        self._objects[kind, namespace, name] = item
        return item

    def patch(self, change: Mapping[str, Any]) -> None:
        """Change an object that is there. Raises KeyError where it is not."""
        metadata = change["metadata"]
        key = (change["kind"], metadata.get("namespace", ""), metadata["name"])
        self._objects[key] = merged(self._objects[key], change)

    def get(self, kind: str, namespace: str, name: str) -> Raw:
        """An object. Raises KeyError."""
        return self._objects[kind, namespace, name]

    def all(self, kind: str) -> list[Raw]:
        """The objects of a kind."""
        return [item for item in self._objects.values() if item["kind"] == kind]

    def log(self, namespace: str, pod: str, file: str, text: str) -> None:
        """Keep a log: `CONTAINER.log` or `CONTAINER.previous.log`."""
        self._logs[Path(namespace, pod, file)] = text

    def write(self, folder: Path) -> None:
        """Write what `kubectl get -o json` prints, one file a resource, and the logs."""
        by_kind: dict[str, list[Raw]] = defaultdict(list, {kind: [] for kind in VERSIONS})
        for item in self._objects.values():
            by_kind[item["kind"]].append(item)
        folder.mkdir(parents=True, exist_ok=True)
        for kind, items in by_kind.items():
            version = items[0]["apiVersion"] if items else VERSIONS[kind]
            head = {"apiVersion": version, "kind": f"{kind}List", "metadata": {"resourceVersion": str(self._revision)}}
            (folder / f"{plural(kind)}.json").write_text(json.dumps({**head, "items": items}))
        for path, text in self._logs.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)


def stamp(at: datetime) -> str:
    """A moment as the API writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
