"""`kubernetes.namespace`: one picture of a namespace, read once: what runs, what it needs, where, who said what."""

from collections import Counter

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, counted, lines_of, reads, unhealthy
from responder.runbooks.templating import KubeName

INSIDE = {
    "Pod": "pods",
    "Service": "services",
    "Endpoints": "endpoints",
    "Event": "events",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ServiceAccount": "serviceaccounts",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
    "Deployment": "deployments.apps",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "DaemonSet": "daemonsets.apps",
    "Job": "jobs.batch",
    "CronJob": "cronjobs.batch",
    "Ingress": "ingresses.networking.k8s.io",
    "NetworkPolicy": "networkpolicies.networking.k8s.io",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers.autoscaling",
    "PodDisruptionBudget": "poddisruptionbudgets.policy",
}
AROUND = {"Node": "nodes", "PersistentVolume": "persistentvolumes", "StorageClass": "storageclasses.storage.k8s.io"}
SYSTEM = "kube-system"


class KubernetesNamespace(Probe):
    """Everything in a namespace that can be the cause of trouble, with nodes, volumes and the system's pods.

    Without a namespace: the nodes, the system's pods and the warnings of the whole cluster. Of secrets and
    config maps only names and keys are kept. `value` is how many pods are not well.
    """

    namespace: KubeName = ""

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        kubernetes = clients.kubernetes
        namespace = self.namespace or inquiry.target.namespace
        found = Gathering()
        questions = [(kind, "", kubernetes.list(resource)) for kind, resource in AROUND.items()]
        if namespace:
            inside = INSIDE.items()
            questions += [
                (kind, namespace, kubernetes.list(resource, namespace=namespace)) for kind, resource in inside
            ]
        else:
            questions.append(("", "", kubernetes.list("events", fields="type!=Normal")))
        if namespace != SYSTEM:
            questions.append(("Pod", SYSTEM, kubernetes.list("pods", namespace=SYSTEM)))
            questions.append(("Event", SYSTEM, kubernetes.list("events", namespace=SYSTEM)))
        await found.lists(*questions)
        found.refuse_if_nothing()
        pods = [
            item
            for item in found.objects
            if item["kind"] == "Pod" and (item["metadata"].get("namespace") == namespace or not namespace)
        ]
        kinds = Counter(item["kind"] for item in found.objects)
        others = ", ".join(
            f"{kinds[kind]} {kind}" for kind in ("Deployment", "Service", "Event", "Node") if kinds[kind]
        )
        return Observation(
            summary=f"{namespace or 'cluster'}: {counted(pods)}; {others}",
            data=found.content(),
            empty=not found.objects,
            facts=lines_of(pods),
            value=float(sum(map(unhealthy, pods))),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = self.namespace or inquiry.target.namespace
        kubectl = clients.kubernetes.kubectl
        if not namespace:
            return (Reproduction(command=kubectl("get", "nodes,pods,events", "-A")),)
        wanted = "all,events,endpoints,pvc,quota,limits,configmap,sa,ingress,netpol,hpa,pdb"
        return (
            Reproduction(command=kubectl("-n", namespace, "get", wanted, "-o", "wide")),
            Reproduction(command=kubectl("get", "nodes,pv,storageclass", "-o", "wide")),
        )

    def permissions(self) -> tuple[Permission, ...]:
        return reads(*INSIDE.values(), *AROUND.values())
