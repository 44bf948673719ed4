"""Quotas of a namespace: their causes, and what is missing since one is used up."""

from collections.abc import Iterator

from responder.detectors._scene import Scene
from responder.detectors._writing import LIKELY, because, found, listed, quote
from responder.model.finding import Cause, Finding
from responder.model.graph import declared_ports
from responder.model.kubernetes import Object, mapping, quantity
from responder.model.subject import Subject

QUOTA = "https://kubernetes.io/docs/concepts/policy/resource-quotas/"
_SEEQUOTA = "kubectl describe resourcequota: used has reached hard"


def _quota(what: str, title: str, meaning: str) -> Cause:
    return Cause(
        slug=f"namespace-{what}-quota-exceeded",
        title=title,
        meaning=meaning,
        confirm="kubectl describe resourcequota: used has reached hard",
        fix="Raise the quota, or free what is not needed in the namespace",
        reference=QUOTA,
    )


CPU = _quota("cpu", "CPU quota of the namespace used up", "A ResourceQuota leaves no CPU for new pods.")
MEMORY = _quota("memory", "Memory quota of the namespace used up", "A ResourceQuota leaves no memory for new pods.")
PODS = _quota("pod", "Pod quota of the namespace used up", "A ResourceQuota allows no more pods.")
SERVICES = _quota("service", "Service quota of the namespace used up", "A ResourceQuota allows no more services.")
STORAGE = _quota(
    "storage", "Storage quota of the namespace used up", "A ResourceQuota allows no more claims or storage."
)
OTHER = _quota("object", "Quota of the namespace used up", "A ResourceQuota allows no more objects of a kind.")


def cause_of(resource: str) -> Cause:
    """The cause by the name of the quota's resource (`requests.cpu`, `count/pods`)."""
    name = resource.removeprefix("requests.").removeprefix("limits.").removeprefix("count/")
    if name == "storage" or "persistentvolumeclaims" in name:
        return STORAGE
    if name.startswith("services"):
        return SERVICES
    return {"cpu": CPU, "memory": MEMORY, "pods": PODS}.get(name, OTHER)


def usage(quota: Object) -> str:
    used, hard = mapping(quota.status.get("used")), mapping(quota.status.get("hard"))
    return ", ".join(f"{name} {used.get(name, '?')} of {limit}" for name, limit in hard.items())


def _full(scene: Scene, cause: Cause) -> Iterator[tuple[Object, str]]:
    """Quotas of which a resource of this cause is used up, as (quota, resource)."""
    for quota, name, taken, most in _limits(scene):
        if cause_of(name) is cause and taken is not None and most is not None and taken >= most:
            yield quota, name


def _too_small(scene: Scene) -> Iterator[tuple[Object, str]]:
    """Quotas of storage that leave less than what a volume has that waits for its claim, as (quota, resource)."""
    waiting = [volume for volume in scene.picture.all("PersistentVolume") if volume.status.get("phase") == "Available"]
    sizes = [quantity(mapping(volume.spec.get("capacity")).get("storage")) or 0.0 for volume in waiting]
    for quota, name, taken, most in _limits(scene):
        left = (most or 0.0) - (taken or 0.0)
        if name.endswith("requests.storage") and any(size > left for size in sizes):
            yield quota, name


def _limits(scene: Scene) -> Iterator[tuple[Object, str, float | None, float | None]]:
    """What the namespace's quotas limit, as (quota, resource, used, limit); None where that is not told."""
    for quota in scene.picture.all("ResourceQuota", scene.namespace):
        used = mapping(quota.status.get("used"))
        for name, limit in mapping(quota.status.get("hard")).items():
            yield quota, name, quantity(used.get(name)), quantity(limit)


def missing_services(scene: Scene) -> Iterator[Finding]:
    """A full quota of services explains why a service that others are told to call does not exist."""
    missing = scene.absent_services()
    for quota, _ in _full(scene, SERVICES):
        if not missing:
            yield from _unserved(scene, quota)
            return
        name, workload, callers = missing[0]
        yield found(
            SERVICES,
            Subject(kind="Namespace", name=scene.namespace),
            LIKELY,
            f"The quota {quota.name} of namespace {scene.namespace} allows no more services ({usage(quota)}), and the "
            f"service {name} that {listed(item.owner.subject for item in callers)} should call does not exist",
            [
                because(f"ResourceQuota {quota.name}: {usage(quota)}", quota),
                *(
                    because(f"{item.owner.subject} has {item.variable}={quote(item.value)}", item.owner)
                    for item in callers[:3]
                ),
                because(f"{workload.subject} runs, no Service {name} exists", workload, *scene.graph.services[:1]),
            ],
            next_steps=[f"kubectl -n {scene.namespace} describe resourcequota {quota.name}"],
            suffering=[workload.subject, *(item.owner.subject for item in callers)],
        )
        return


def _unserved(scene: Scene, quota: Object) -> Iterator[Finding]:
    """A full quota of services explains why a workload that listens has no service, where the others have one."""
    listening = [item for item in scene.graph.workloads if declared_ports(item.template_containers)]
    without = [item for item in listening if not scene.graph.services_of(item)]
    if not without or len(without) == len(listening) or not scene.knows_all("Service"):
        return
    names = listed(item.subject for item in without)
    yield found(
        SERVICES,
        Subject(kind="Namespace", name=scene.namespace),
        LIKELY,
        f"The quota {quota.name} of namespace {scene.namespace} allows no more services ({usage(quota)}), and {names} "
        "has none",
        [
            because(f"ResourceQuota {quota.name}: {usage(quota)}", quota),
            because(f"{names} listens on a port, and no Service selects its pods", *without[:3]),
        ],
        next_steps=[f"kubectl -n {scene.namespace} describe resourcequota {quota.name}"],
        suffering=[item.subject for item in without],
    )


def missing_claims(scene: Scene) -> Iterator[Finding]:
    """A quota of storage that is used up, or too small, explains why a claim that pods name does not exist."""
    if not scene.knows_all("PersistentVolumeClaim"):
        return
    for workload in scene.graph.workloads:
        absent = [name for name in scene.claims_of(workload) if not scene.claim(name)]
        if not absent or not scene.ails(workload):
            continue
        for quota, resource in (*_full(scene, STORAGE), *_too_small(scene)):
            yield found(
                STORAGE,
                Subject(kind="Namespace", name=scene.namespace),
                LIKELY,
                f"The quota {quota.name} of namespace {scene.namespace} leaves too little ({usage(quota)}), and the "
                f"claim {absent[0]} that {workload.subject} needs does not exist",
                [
                    because(f"ResourceQuota {quota.name}: {resource} leaves too little: {usage(quota)}", quota),
                    because(f"{workload.subject} uses the claim {absent[0]}, which does not exist", workload),
                ],
                next_steps=[f"kubectl -n {scene.namespace} describe resourcequota {quota.name}"],
                suffering=[workload.subject],
            )
            return
