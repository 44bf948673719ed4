"""An API server that keeps objects and changes them, as strict about writes as a real one."""

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from responder.clients.discovery import WELL_KNOWN
from responder.clients.selectors import by_labels
from tests.fakes.apiserver import FakeApiServer, status
from tests.fakes.patches import BadPatch, merged, operated

MERGE, OPERATIONS = "application/merge-patch+json", "application/json-patch+json"
VERSIONS = {"": "v1", "apps": "apps/v1", "batch": "batch/v1", "policy": "policy/v1", "autoscaling": "autoscaling/v2"}
GROUPS = {group: (version.partition("/")[2],) for group, version in VERSIONS.items() if group}
PLURALS = {kind: (group, name, inside) for name, (group, kind, inside) in WELL_KNOWN.items()}
ADDED = {"controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"}
Raw = dict[str, Any]


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class FakeCluster(FakeApiServer):
    """`objects` by path. `changed` are the changes that were asked for, in order, `tried` those of dry runs.

    A change of a path in `refused` is answered with that, in `refused_for_real` only where it is no dry run; one in
    `hangs` is made, and never answered. Changes wait for `thawed`; `after_tries` is called after a dry run.
    """

    groups: Mapping[str, Sequence[str]] = field(default_factory=lambda: GROUPS)
    objects: dict[str, Raw] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    refused: dict[str, web.Response] = field(default_factory=dict)
    refused_for_real: dict[str, web.Response] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)
    thawed: asyncio.Event = field(default_factory=_set)
    after_tries: Callable[[], None] | None = None

    def add(self, *items: Mapping[str, Any]) -> None:
        """Put objects into the cluster, as their controllers would have."""
        for item in items:
            kept = copy.deepcopy(dict(item))
            group, _, _ = PLURALS[kept["kind"]]
            kept.setdefault("apiVersion", VERSIONS[group])
            metadata = kept["metadata"]
            metadata.setdefault("uid", f"uid-{metadata['name']}")
            metadata.setdefault("generation", 1)
            metadata["resourceVersion"] = str(len(self.objects) + 1)
            self.objects[path_of(kept)] = kept

    def get(self, kind: str, name: str, namespace: str = "shop") -> Raw:
        """An object."""
        return self.objects[path_of({"kind": kind, "metadata": {"name": name, "namespace": namespace}})]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        if self.tokens and request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return status(401, "Unauthorized", "Unauthorized")
        if request.method == "GET":
            found = self._read(request)
            if found is None:
                return await super().answer(request)
            return found if isinstance(found, web.Response) else web.json_response(found)
        if request.method == "POST" and request.path.startswith("/apis/authorization.k8s.io/"):
            return await super().answer(request)
        dry = request.query.getall("dryRun", [])
        if request.query.keys() - {"dryRun"} or dry not in ([], ["All"]):
            return status(400, "BadRequest", f"invalid parameters: {request.query_string}")
        (self.tried if dry else self.changed).append(f"{request.method} {request.path}")
        await self.thawed.wait()
        refused = self.refused.get(request.path) or (None if dry else self.refused_for_real.get(request.path))
        if refused is not None:
            return web.Response(body=refused.body, status=refused.status, content_type="application/json")
        answer = await self._write(request, bool(dry))
        if dry and self.after_tries:
            self.after_tries()
        if request.path in self.hangs and not dry:
            await asyncio.sleep(3600)
        return answer

    def _read(self, request: web.Request) -> Raw | web.Response | None:
        if request.path in self.objects:
            return self.objects[request.path]
        fits = by_labels(request.query.get("labelSelector", ""))
        items = [item for path, item in self.objects.items() if request.path in _lists(path)]
        if not items and request.path.split("/")[-2] in WELL_KNOWN:
            return status(404, "NotFound", f'"{request.path.rpartition("/")[2]}" not found')
        if not items:
            return None
        chosen = [item for item in items if fits(item["metadata"].get("labels") or {})]
        return {
            "kind": f"{items[0]['kind']}List",
            "apiVersion": items[0]["apiVersion"],
            "metadata": {},
            "items": chosen,
        }

    async def _write(self, request: web.Request, dry: bool) -> web.Response:
        body = await request.json()
        if request.method == "PATCH":
            return self._patch(request.path, request.content_type, body, dry)
        if request.method != "POST" or request.content_type != "application/json":
            return status(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        if request.path.endswith("/eviction"):
            return self._evict(request.path.removesuffix("/eviction"), body, dry)
        return self._create(request.path, body, dry)

    def _patch(self, path: str, form: str, body: Any, dry: bool) -> web.Response:
        if form not in (MERGE, OPERATIONS):
            return status(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {form}")
        if isinstance(body, list) is (form == MERGE):
            return status(400, "BadRequest", "json: cannot unmarshal")
        whole = path.removesuffix("/scale")
        if whole not in self.objects:
            return status(404, "NotFound", f'"{path.rpartition("/")[2]}" not found')
        before = self.objects[whole]
        seen = _scale(before) if path != whole else before
        try:
            after = merged(seen, body) if form == MERGE else operated(seen, body)
        except BadPatch as problem:
            return status(422, "Invalid", f"the server rejected our request due to an error in our request: {problem}")
        if after["metadata"].get("uid") != before["metadata"]["uid"]:
            return status(409, "Conflict", "Precondition failed: UID in precondition is another")
        if after["metadata"].get("resourceVersion") != before["metadata"]["resourceVersion"]:
            return status(
                409, "Conflict", "the object has been modified; please apply your changes to the latest version"
            )
        changed = merged(before, {"spec": {"replicas": after["spec"]["replicas"]}}) if path != whole else after
        if not isinstance(changed.get("spec", {}).get("replicas", 0), int) or changed["spec"].get("replicas", 0) < 0:
            return status(422, "Invalid", "spec.replicas: must be greater than or equal to 0")
        changed["metadata"]["generation"] += changed["spec"] != before["spec"]
        if not dry:
            changed["metadata"]["resourceVersion"] = str(int(before["metadata"]["resourceVersion"]) + 100)
            self.objects[whole] = changed
        return web.json_response(after)

    def _create(self, path: str, body: Any, dry: bool) -> web.Response:
        metadata = body.get("metadata", {})
        name = metadata.get("name", "")
        if not body.get("apiVersion") or body.get("kind") not in PLURALS or not name or len(name) > 63:
            return status(422, "Invalid", "the object is invalid")
        if path_of(body).rpartition("/")[0] != path:
            return status(400, "BadRequest", "the namespace of the object does not match the namespace on the request")
        template = body.get("spec", {}).get("template", {}).get("metadata", {}).get("labels") or {}
        if body["kind"] == "Job" and ("selector" in body["spec"] or ADDED & template.keys()):
            return status(422, "Invalid", "spec.selector: `selector` not auto-generated")
        if path_of(body) in self.objects:
            return status(409, "AlreadyExists", f'"{name}" already exists')
        if not dry:
            self.add(body)
        return web.json_response(body, status=201)

    def _evict(self, path: str, body: Any, dry: bool) -> web.Response:
        pod = self.objects.get(path)
        if (body.get("apiVersion"), body.get("kind")) != ("policy/v1", "Eviction"):
            return status(400, "BadRequest", "no kind is registered for that version")
        if pod is None or body["metadata"]["name"] != pod["metadata"]["name"]:
            return status(404, "NotFound", "pods not found")
        wanted = body.get("deleteOptions", {}).get("preconditions", {}).get("uid")
        if wanted not in (None, pod["metadata"]["uid"]):
            return status(409, "Conflict", f"Precondition failed: UID in precondition: {wanted}")
        for budget in self._budgets(pod):
            if budget["status"]["disruptionsAllowed"] <= 0:
                words = "Cannot evict pod as it would violate the pod's disruption budget."
                return status(429, "TooManyRequests", words, causes=[{"reason": "DisruptionBudget"}])
            if not dry:
                budget["status"]["disruptionsAllowed"] -= 1
        if not dry:
            del self.objects[path]
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201}, status=201)

    def _budgets(self, pod: Raw) -> list[Raw]:
        labels = pod["metadata"].get("labels") or {}
        return [
            item
            for item in self.objects.values()
            if item["kind"] == "PodDisruptionBudget"
            and item["metadata"]["namespace"] == pod["metadata"]["namespace"]
            and item["spec"]["selector"]["matchLabels"].items() <= labels.items()
        ]


def path_of(item: Mapping[str, Any]) -> str:
    """Where an object is."""
    group, name, inside = PLURALS[item["kind"]]
    root = f"/apis/{VERSIONS[group]}" if group else "/api/v1"
    where = f"/namespaces/{item['metadata'].get('namespace', '')}" if inside else ""
    return f"{root}{where}/{name}/{item['metadata']['name']}"


def _lists(path: str) -> tuple[str, str]:
    """The lists that an object is in: of its namespace, and of the cluster."""
    parent = path.rpartition("/")[0]
    before, found, after = parent.partition("/namespaces/")
    return parent, f"{before}/{after.partition('/')[2]}" if found else parent


def _scale(item: Raw) -> Raw:
    metadata = {name: item["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": metadata,
        "spec": {"replicas": item["spec"]["replicas"]},
        "status": {"replicas": item["spec"]["replicas"]},
    }


def owned(kind: str, name: str) -> list[Raw]:
    """The reference to the owner that controls an object."""
    return [
        {"apiVersion": VERSIONS[PLURALS[kind][0]], "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}
    ]


def template(image: str = "web:2", **more: Any) -> Raw:
    """A pod template."""
    resources = {"limits": {"memory": "512Mi"}}
    containers = [{"name": "web", "image": image, "resources": resources}]
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers, **more}}


def deployment(replicas: int = 3, **spec: Any) -> Raw:
    """The deployment `web` in `shop`."""
    wanted = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(), **spec}
    metadata = {"name": "web", "namespace": "shop", "uid": "uid-web", "generation": 1}
    return {"kind": "Deployment", "metadata": metadata, "spec": wanted}


def revision(number: int, image: str, name: str = "", born: int = 0) -> Raw:
    """A replica set of that deployment, made at that hour: an older one than its number says was rolled back to."""
    made = template(image)
    made["metadata"]["labels"] = {"app": "web", "pod-template-hash": str(number)}
    metadata = {
        "name": name or f"web-{number}",
        "namespace": "shop",
        "labels": {"app": "web"},
        "annotations": {"deployment.kubernetes.io/revision": str(number)},
        "creationTimestamp": f"2026-01-01T{born or number:02}:00:00Z",
        "ownerReferences": owned("Deployment", "web"),
    }
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": made}
    return {"kind": "ReplicaSet", "metadata": metadata, "spec": spec}


def pod(name: str, *, ready: bool = False, owner: str = "web-2", restarts: int = 0) -> Raw:
    """A pod of a replica set; without an owner one that nobody would make anew."""
    metadata: Raw = {"name": name, "namespace": "shop", "labels": {"app": "web"}}
    if owner:
        metadata["ownerReferences"] = owned("ReplicaSet", owner)
    container = {"name": "web", "ready": ready, "restartCount": restarts}
    if not ready:
        container["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    conditions = [{"type": "Ready", "status": str(ready)}]
    states = {"phase": "Running", "conditions": conditions, "containerStatuses": [container]}
    spec = {"containers": [{"name": "web", "image": "web:2"}]}
    return {"kind": "Pod", "metadata": metadata, "spec": spec, "status": states}


def budget(allowed: int) -> Raw:
    """A budget of the pods of `web`."""
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    metadata = {"name": "web", "namespace": "shop"}
    return {
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": spec,
        "status": {"disruptionsAllowed": allowed},
    }


def autoscaler() -> Raw:
    """The autoscaler of `web`."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    metadata = {"name": "web", "namespace": "shop"}
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {"scaleTargetRef": target, "maxReplicas": 9},
    }


def node(name: str, *, ready: bool = True, cordoned: bool = False, taint: str = "") -> Raw:
    """A node; with the effect of a taint, one."""
    spec: Raw = {"unschedulable": True} if cordoned else {}
    if taint:
        spec["taints"] = [{"key": "dedicated", "effect": taint}]
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"kind": "Node", "metadata": {"name": name}, "spec": spec, "status": {"conditions": conditions}}


def job(name: str = "report", state: str = "Failed", **metadata: Any) -> Raw:
    """A job as its controller keeps it, with the labels that the controller added."""
    added = {"controller-uid": "1-2-3", "batch.kubernetes.io/job-name": name}
    pods = {"metadata": {"labels": {"app": "report", **added}}, "spec": {"containers": [], "restartPolicy": "Never"}}
    return {
        "kind": "Job",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "report", **added}, **metadata},
        "spec": {"backoffLimit": 2, "selector": {"matchLabels": {"controller-uid": "1-2-3"}}, "template": pods},
        "status": {"conditions": [{"type": state, "status": "True"}] if state else []},
    }


def cron_job(**status_fields: Any) -> Raw:
    """A cron job that forbids concurrent runs."""
    pods = {"spec": {"containers": [], "restartPolicy": "Never"}}
    spec = {"concurrencyPolicy": "Forbid", "jobTemplate": {"spec": {"template": pods}}}
    return {
        "kind": "CronJob",
        "metadata": {"name": "nightly", "namespace": "shop"},
        "spec": spec,
        "status": status_fields,
    }
