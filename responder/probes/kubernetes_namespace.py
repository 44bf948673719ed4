"""`kubernetes.namespace`: one picture of a namespace, read once: what runs, what it needs, where, who said what."""

from collections import Counter

from responder.clients import Clients
from responder.errors import Permanent, Reason, Trouble
from responder.model.evidence import Observation, Reproduction
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, Question, counted, lines_of, place, pods_in, reads, unhealthy
from responder.templating import KubeName

INSIDE = (
    *("pods", "services", "endpoints", "events", "configmaps", "persistentvolumeclaims"),
    "resourcequotas",
    *("deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch"),
    "ingresses.networking.k8s.io",
    "horizontalpodautoscalers.autoscaling",
)
AROUND = ("nodes", "persistentvolumes", "storageclasses.storage.k8s.io")
SYSTEM = "kube-system"
_TOLD = {"Deployment": "deployments", "Service": "services", "Event": "events", "Node": "nodes"}


class KubernetesNamespace(Probe):
    """Everything in a namespace that can be the cause of trouble, with nodes, volumes and the system's pods.

    Without a namespace: the nodes, the system's pods and the warnings of the whole cluster. Of config maps
    names, keys and the lines that name places, routes and limits are kept; of secrets names and keys, where reading
    them is allowed. `value` is how many pods are not well.
    """

    namespace: KubeName = ""

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        namespace = place(inquiry, self.namespace).namespace
        found = Gathering(clients.kubernetes, inquiry)
        await found.ask(*_questions(namespace))
        if namespace and not any(item["metadata"].get("namespace") == namespace for item in found.objects):
            await _refuse_missing(namespace, clients)
        pods = [pod for pod in pods_in(found.objects) if namespace in ("", pod.namespace)]
        kinds = Counter(item["kind"] for item in found.objects)
        others = ", ".join(f"{kinds[kind]} {word}" for kind, word in _TOLD.items() if kinds[kind])
        return Observation(
            summary=f"{counted(pods, namespace or SYSTEM)}; {others}",
            data=found.content(),
            empty=not found.objects,
            facts=lines_of(pods),
            value=float(sum(map(unhealthy, pods))),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = place(inquiry, self.namespace).namespace
        kubectl = clients.kubernetes.kubectl
        around = kubectl("get", "nodes,pv,storageclass", "-o", "wide")
        if not namespace:
            warnings = kubectl("get", "events", "-A", "--field-selector", "type!=Normal")
            return (Reproduction(command=around), Reproduction(command=warnings))
        wanted = "all,events,endpoints,pvc,quota,configmap,ingress,hpa"
        inside = kubectl("-n", namespace, "get", wanted, "-o", "wide")
        return (Reproduction(command=inside), Reproduction(command=around))

    def permissions(self) -> tuple[Permission, ...]:
        return reads(*INSIDE, *AROUND, "namespaces")


def _questions(namespace: str) -> list[Question]:
    questions = [Question(resource) for resource in AROUND]
    if namespace:
        questions += [Question(resource, namespace) for resource in INSIDE]
        questions.append(Question("secrets", namespace, welcome=True))
        # what is said of nodes is said in the namespace default
        questions.append(Question("events", "default", fields="involvedObject.kind=Node"))
    else:
        questions.append(Question("events", fields="type!=Normal"))
    if namespace != SYSTEM:
        questions.append(Question("pods", SYSTEM))
        questions.append(Question("configmaps", SYSTEM, fields="metadata.name=coredns", welcome=True))
    return questions


async def _refuse_missing(namespace: str, clients: Clients) -> None:
    """Raise Permanent where an empty namespace does not exist: the server lists it as empty."""
    try:
        await clients.kubernetes.get("namespaces", namespace)
    except Permanent as trouble:
        if trouble.reason is Reason.NOT_FOUND:
            raise Permanent(f"there is no namespace {namespace}", Reason.NOT_FOUND) from None
    except Trouble:
        return
