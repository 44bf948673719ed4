"""Claims that stay unbound, volumes that do not mount.

Matching of claims and volumes: kubernetes/kubernetes, pkg/controller/volume/persistentvolume (FindMatchingVolume,
checkVolumeSatisfyClaim).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from responder.detectors import Case
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, LIKELY, because, found, listed, plural, quote
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.graph import matches
from responder.model.kubernetes import Object, Pod, mapping, quantity, string
from responder.model.subject import Subject

_REFERENCE = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/"


def _cause(
    slug: str, title: str, meaning: str, fix: str, *, generic: bool = False, symptom_of: tuple[str, ...] = ()
) -> Cause:
    return Cause(
        slug=slug,
        title=title,
        meaning=meaning,
        confirm="kubectl describe pvc; kubectl get pv,storageclass",
        fix=fix,
        reference=_REFERENCE,
        generic=generic,
        symptom_of=symptom_of,
    )


SELECTOR = _cause(
    "pvc-selector-mismatch",
    "No volume has the labels that the claim asks for",
    "The claim's selector matches no volume.",
    "Correct the claim's selector or the volume's labels",
)
CLASS = _cause(
    "pvc-storage-class-mismatch",
    "The claim's storage class fits no volume",
    "The class does not exist, or differs from the volume's.",
    "Correct storageClassName of the claim, or create the class",
)
MODE = _cause(
    "pvc-access-mode-mismatch",
    "The claim wants an access mode that the volume lacks",
    "No volume offers all access modes that the claim asks for.",
    "Correct the access modes of the claim or the volume",
)
CAPACITY = _cause(
    "pvc-capacity-mismatch",
    "The claim wants more than the volume has",
    "No volume is large enough.",
    "Ask for less, or provide a larger volume",
)
OCCUPIED = _cause(
    "pv-binding-occupied",
    "The volume is bound to another claim",
    "The volume that would fit belongs to another claim, or to one that was deleted.",
    "Release the volume (remove its claimRef) or provide another",
)
VOLUME_MODE = _cause(
    "pvc-volume-mode-mismatch",
    "The claim's volume mode differs from the volume's",
    "One is Block, the other Filesystem.",
    "Correct volumeMode",
)
NO_VOLUME = _cause(
    "no-volume-for-claim",
    "There is no volume for the claim",
    "Nothing provides a volume: no free volume exists and no provisioner creates one.",
    "Create a volume, or name a storage class with a provisioner",
)
PROVISIONING = _cause(
    "volume-provisioning-failed",
    "The provisioner cannot create the volume",
    "The storage class exists, its provisioner reports an error or says nothing.",
    "Read the provisioner's log and events",
)
MISSING = _cause(
    "missing-persistent-volume-claim",
    "The claim does not exist",
    "The template names a PersistentVolumeClaim that is not there.",
    "Create the claim, or correct the name",
    symptom_of=("namespace-storage-quota-exceeded",),
)
MOUNT = _cause(
    "volume-mount-failed",
    "A volume cannot be mounted",
    "The kubelet cannot attach or mount a volume of the pod.",
    "Follow the message; check the storage system and the node",
)
ATTACHED = _cause(
    "volume-attached-elsewhere",
    "The volume is attached to another node",
    "A ReadWriteOnce volume can be on one node only; the old pod or node still has it.",
    "End the old pod, or detach the volume from the dead node",
)
CAUSES = (
    SELECTOR, CLASS, MODE, CAPACITY, OCCUPIED, VOLUME_MODE, NO_VOLUME, PROVISIONING, MISSING, MOUNT, ATTACHED,
)  # fmt: skip
_BY_SLUG = {cause.slug: cause for cause in CAUSES}

# What the volume controller says in events of the claim.
_SAID: Sequence[tuple[str, Cause]] = (
    (r"storageclass\S* \"[^\"]*\" not found|storageClassName does not match|different storage class", CLASS),
    (r"already bound to a different claim", OCCUPIED),
    (r"requested PV is too small|too small", CAPACITY),
    (r"incompatible accessMode|access mode", MODE),
    (r"incompatible volumeMode", VOLUME_MODE),
)
_ABSENT = re.compile(r'persistentvolumeclaim "(?P<name>[^"]+)" not found')
_NO_PROVISIONER = "kubernetes.io/no-provisioner"


@dataclass(frozen=True)
class Misfit:
    """Why a volume does not fit a claim: causes by slug, each with the difference in words."""

    volume: Object
    reasons: Mapping[str, str]


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    claims = told = 0
    for workload in scene.graph.workloads:
        for name in scene.claims_of(workload):
            claims += 1
            if finding := _of_claim(scene, workload.subject, name, scene.graph.pods_of(workload)):
                told += 1
                yield finding
    for pod in scene.pods:
        if finding := _of_mount(scene, pod):
            told += 1
            yield finding
    if claims and not told:
        yield Cleared(
            text=f"volumes ({plural(claims, 'claim')} bound and mounted)",
            evidence=(*scene.pods, *scene.graph.workloads)[0].evidence,
        )


def _of_claim(scene: Scene, subject: Subject, name: str, pods: Sequence[Pod]) -> Finding | None:
    claim = scene.claim(name)
    waiting = [pod for pod in pods if not pod.ready]
    if claim is None:
        said = [pod for pod in waiting if _ABSENT.search(_schedule_message(pod))]
        if not waiting or not (scene.knows_all("PersistentVolumeClaim") or said):
            return None
        reasons = [because(f"pod/{pod.name}: {quote(_schedule_message(pod))}", pod) for pod in said[:1]]
        headline = f"{subject} cannot start: its claim {name} does not exist"
        return found(
            MISSING, subject, CERTAIN if said else LIKELY, headline, reasons or [because(headline, *waiting[:1])],
            next_steps=[f"kubectl -n {scene.namespace} get pvc"], since=waiting[0].created,
        )  # fmt: skip
    if claim.status.get("phase") not in ("Pending", "Lost") or (pods and not waiting):
        return None
    cause, why, sure = _unbound(scene, claim)
    if cause is None:
        return None
    reasons = [because(f"persistentvolumeclaim/{name} is {claim.status.get('phase')}", claim), *why]
    reasons += [
        because(f"pod/{pod.name}: {quote(_schedule_message(pod))}", pod)
        for pod in waiting[:1]
        if _schedule_message(pod)
    ]
    return found(
        cause,
        subject,
        CERTAIN if sure else LIKELY,
        f"{subject} cannot start: its claim {name} stays unbound. {cause.title}" + (f": {why[0].text}" if why else ""),
        reasons,
        next_steps=[f"kubectl -n {scene.namespace} describe pvc {name}", "kubectl get pv,storageclass --show-labels"],
        since=claim.created,
    )


def _schedule_message(pod: Pod) -> str:
    return str(mapping(pod.conditions.get("PodScheduled")).get("message") or "")


def _unbound(scene: Scene, claim: Object) -> tuple[Cause | None, list[Because], bool]:
    """Why a claim has no volume: what the controller said, else what differs from the volume that fits best."""
    events = sorted(scene.picture.events(claim), key=lambda event: event.last or scene.started_at, reverse=True)
    said = [(event, cause) for event in events for words, cause in _SAID if re.search(words, event.message)]
    if said:
        event, cause = said[0]
        return cause, [because(quote(event.message), event)], True
    volumes = scene.picture.all("PersistentVolume")
    if not scene.picture.complete("PersistentVolume"):
        return NO_VOLUME, [], False
    wanted = str(claim.spec.get("volumeName") or "")
    if wanted:
        volumes = [item for item in volumes if item.name == wanted]
    elif _provisioned(scene, claim):
        return _provisioning(events)
    absent = _class_absent(scene, claim)
    misfits = sorted((_misfit(volume, claim) for volume in volumes), key=lambda item: len(item.reasons))
    if not misfits:
        why = [because(f"storage class {_class(claim)} does not exist", claim)] if absent else []
        return (CLASS if absent else NO_VOLUME), why, False
    best = misfits[0]
    if not best.reasons:
        return None, [], False
    slug = next(slug for slug in _ORDER if slug in best.reasons)
    return _BY_SLUG[slug], [because(text, claim, best.volume) for text in best.reasons.values()], True


# Of several differences the one that makes the others moot stands first.
_ORDER = (OCCUPIED.slug, CLASS.slug, SELECTOR.slug, MODE.slug, CAPACITY.slug, VOLUME_MODE.slug)


def _class(claim: Object) -> str:
    return str(
        claim.spec.get("storageClassName") or claim.annotations.get("volume.beta.kubernetes.io/storage-class") or ""
    )


def _provisioned(scene: Scene, claim: Object) -> bool:
    """Whether a provisioner should make the volume."""
    storage = scene.picture.get("StorageClass", "", _class(claim))
    return storage is not None and storage.raw.get("provisioner") != _NO_PROVISIONER and not claim.spec.get("selector")


def _class_absent(scene: Scene, claim: Object) -> bool:
    name = _class(claim)
    return bool(name) and scene.picture.complete("StorageClass") and not scene.picture.get("StorageClass", "", name)


def _provisioning(events: Sequence[Object]) -> tuple[Cause | None, list[Because], bool]:
    failed = [event for event in events if event.raw.get("reason") == "ProvisioningFailed"]
    if failed:
        return PROVISIONING, [because(quote(str(failed[0].raw.get("message"))), failed[0])], True
    if any(event.raw.get("reason") == "WaitForFirstConsumer" for event in events):
        return None, [], False
    return PROVISIONING, [], False


def _misfit(volume: Object, claim: Object) -> Misfit:
    """What keeps a volume from a claim."""
    reasons: dict[str, str] = {}
    holder = mapping(volume.spec.get("claimRef"))
    mine = (holder.get("namespace"), holder.get("name")) == (claim.namespace, claim.name)
    again = mine and holder.get("uid") not in (None, "", claim.uid)
    if holder and (not mine or again or volume.status.get("phase") in ("Released", "Failed")):
        whom = f"{string(holder.get('namespace'))}/{string(holder.get('name'))}".strip("/")
        state = str(volume.status.get("phase") or "Bound").lower()
        reasons[OCCUPIED.slug] = f"volume {volume.name} is {state}, held by the claim {whom}"
    have, want = str(volume.spec.get("storageClassName") or ""), _class(claim)
    if have != want:
        reasons[CLASS.slug] = f"volume {volume.name} has the storage class {have or 'none'}, the claim {want or 'none'}"
    selector = mapping(claim.spec.get("selector"))
    if selector and not matches(selector, volume.labels):
        labels = ", ".join(f"{key}={value}" for key, value in volume.labels.items()) or "no labels"
        terms = (
            ", ".join(f"{key}={value}" for key, value in mapping(selector.get("matchLabels")).items()) or "expressions"
        )
        reasons[SELECTOR.slug] = f"the claim asks for a volume with {terms}, {volume.name} has {labels}"
    offered = [str(item) for item in volume.spec.get("accessModes") or []]
    lacking = [str(item) for item in claim.spec.get("accessModes") or [] if item not in offered]
    if lacking:
        reasons[MODE.slug] = f"the claim wants {listed(lacking)}, volume {volume.name} offers {listed(offered)}"
    size = mapping(volume.spec.get("capacity")).get("storage")
    asked = mapping(mapping(claim.spec.get("resources")).get("requests")).get("storage")
    if (quantity(asked) or 0) > (quantity(size) or 0):
        reasons[CAPACITY.slug] = f"the claim wants {asked}, volume {volume.name} has {size}"
    modes = [str(item.spec.get("volumeMode") or "Filesystem") for item in (claim, volume)]
    if modes[0] != modes[1]:
        reasons[VOLUME_MODE.slug] = f"the claim wants {modes[0]}, volume {volume.name} is {modes[1]}"
    return Misfit(volume, reasons)


def _of_mount(scene: Scene, pod: Pod) -> Finding | None:
    """A volume that the kubelet cannot mount; references to what does not exist are told elsewhere."""
    started = any(container.running or container.terminated for container in pod.containers)
    if started or not pod.node:
        return None
    events = [
        event
        for event in scene.picture.events(pod)
        if event.reason in ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
        and not re.search(
            r"(?:secret|configmap) \"[^\"]+\" not found|non-?existent (?:secret|config) key|object .* not registered",
            event.message,
        )
    ]
    if not events:
        return None
    latest = max(events, key=lambda event: event.last or scene.started_at)
    cause = ATTACHED if "Multi-Attach error" in latest.message else MOUNT
    subject = scene.responsible(pod)
    return found(
        cause,
        subject,
        CERTAIN,
        f"{subject} cannot start: {cause.title[0].lower()}{cause.title[1:]}",
        [because(f"pod/{pod.name}: {quote(latest.message)} (×{latest.count})", latest)],
        next_steps=[f"kubectl -n {pod.namespace} describe pod {pod.name}"],
        since=pod.created,
    )
