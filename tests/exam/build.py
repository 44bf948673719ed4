"""From a description to a folder that `responder investigate --snapshot` reads, or an archive of many.

python -m tests.exam.build FOLDER [NAME…]        write cases: alert.json, truth.json, snapshot/
python -m tests.exam.build FILE.tar.gz           pack the development half as the exam's own player takes it
"""

import argparse
import json
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.exam import events, surroundings
from tests.exam.alerts import alert_of, pods_of
from tests.exam.cluster import UNSCOPED, VERSIONS, Cluster, plural, stamp
from tests.exam.controllers import deploy
from tests.exam.description import HALVES, Description, Raw, descriptions
from tests.exam.services import endpoints

PACKED = datetime(2020, 1, 1, tzinfo=UTC)
"""The moment of an archive, which the exam's player moves to its own now."""


def build(case: Description, folder: Path, now: datetime) -> None:
    """Write a case as it stood at a moment."""
    cluster = populated(case, now)
    cluster.write(folder / "snapshot")
    (folder / "alert.json").write_text(json.dumps(alert_of(cluster, case)))
    truth = case.verdict_rules()
    objects = [name for item in truth["objects"] for name in _every(cluster, case, item)]
    (folder / "truth.json").write_text(json.dumps({"now": stamp(now), **truth, "objects": objects}))


def populated(case: Description, now: datetime) -> Cluster:
    """The cluster of a case."""
    cluster = Cluster(case.name, now)
    surroundings.nodes(cluster, case.version)
    surroundings.system(cluster, case)
    for namespace in {item["namespace"] for item in case.workloads if "namespace" in item} - {case.namespace}:
        cluster.add("Namespace", namespace, age="90d", status={"phase": "Active"})
    for item in case.objects:
        _manifest(cluster, case, item)
    for item in case.workloads:
        deploy(cluster, item.get("namespace", case.namespace), item)
    surroundings.bystanders(cluster, case)
    for change in case.patches:
        cluster.patch(cluster.filled(change))
    for event in case.events:
        events.record(
            cluster, _named(cluster, case, event), event, {"NODE": event.get("node", ""), "NS": case.namespace}
        )
    surroundings.noise(cluster)
    endpoints(cluster)
    return cluster


def _every(cluster: Cluster, case: Description, item: str) -> list[str]:
    """An object of the truth; of `pod/WORKLOAD` every pod of it."""
    kind, _, name = item.partition("/")
    if kind != "pod":
        return [item]
    namespaces = {case.namespace, *(item["namespace"] for item in case.workloads if "namespace" in item)}
    return [f"pod/{pod['metadata']['name']}" for space in namespaces for pod in pods_of(cluster, space, name)]


def _manifest(cluster: Cluster, case: Description, item: Raw) -> None:
    fields = cluster.filled(item)
    kind, metadata = fields.pop("kind"), fields.pop("metadata")
    name, namespace = metadata.pop("name"), metadata.pop("namespace", case.namespace)
    age = fields.pop("age", "30d")
    cluster.add(kind, name, namespace, age=age, metadata=metadata, **fields)
    if kind not in VERSIONS:
        _define(cluster, kind, fields["apiVersion"])


def _define(cluster: Cluster, kind: str, version: str) -> None:
    """The definition of a custom kind."""
    group, _, served = version.partition("/")
    names = {"kind": kind, "plural": plural(kind), "singular": kind.lower(), "listKind": f"{kind}List"}
    spec: Raw = {"group": group, "names": names, "scope": "Cluster" if kind in UNSCOPED else "Namespaced"}
    spec["versions"] = [{"name": served, "served": True, "storage": True}]
    established = {"type": "Established", "status": "True", "reason": "InitialNamesAccepted"}
    status = {"conditions": [established], "acceptedNames": names, "storedVersions": [served]}
    cluster.add("CustomResourceDefinition", f"{plural(kind)}.{group}", spec=spec, status=status)


def _named(cluster: Cluster, case: Description, event: Raw) -> Raw:
    kind, _, name = event["about"].partition("/")
    namespace = "" if kind in UNSCOPED else event.get("namespace", case.namespace)
    if kind != "Pod":
        return cluster.get(kind, namespace, name)
    pods = (item for item in cluster.all("Pod") if item["metadata"]["namespace"] == namespace)
    return next(item for item in pods if item["metadata"]["name"].startswith(name))


def main() -> None:
    """Write or pack cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("to", type=Path)
    parser.add_argument("names", nargs="*", help="names or numbers of cases; the development half if none is given")
    options = parser.parse_args()
    everything = [case for half in HALVES for case in descriptions(half)]
    chosen = [case for case in everything if {case.name, str(case.number)} & set(options.names)]
    chosen = chosen if options.names else descriptions("development")
    if not options.to.name.endswith(".tar.gz"):
        for case in chosen:
            build(case, options.to / case.name, datetime.now(UTC).replace(microsecond=0))
        return
    with tempfile.TemporaryDirectory() as folder, tarfile.open(options.to, "w:gz") as archive:
        for case in chosen:
            build(case, Path(folder, case.name), PACKED)
            archive.add(Path(folder, case.name), case.name)


if __name__ == "__main__":
    main()
