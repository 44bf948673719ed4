"""The kinds that we read, as compact as they can be written: a tuple is a choice, a list holds what it shows."""

from datetime import timedelta
from typing import Any

from tests.makers import NOW

NAMES = ("web", "db", "web-1", "web-7c9d8f6b5d-x2k4p", "db-0", "node-a")
STATUSES = ("True", "False", "Unknown")
TIMES = tuple((NOW + timedelta(minutes=off)).isoformat().replace("+00:00", "Z") for off in (-5000, -300, -6, -1, 0, 60))
NUMBERS = (0, 1, 2, 3, 137, 8080, 2**31 - 1)
PORTS = (80, 8080, "http", "8080", 0)
QUANTITIES = ("0", "100m", "1", "64Mi", "2Gi", "1e3", "0.5", "128974848", "12E", 2)
IMAGES = ("web:1", "postgres:16", "registry.example/team/db@sha256:abc", "redis", "mysql:8", "web")
ADDRESSES = ("10.0.0.1", "10.0.0.0/24", "fd00::1", "0.0.0.0/0", "")
TEXTS = (
    "x", "http://db:5432/x", "db:5432", "db", "8080", "ERROR connect: connection refused db:5432",
    "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. preemption: 0/3",
    "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, pod has unbound immediate claims",
    'Back-off pulling image "web:1"', 'Failed to pull image "web:1": rpc error: code = NotFound desc = not found',
    "Back-off restarting failed container main in pod web-1_shop(1)", 'secret "db" not found',
    'pods "web" is forbidden: exceeded quota: q, requested: cpu=2, used: cpu=1, limited: cpu=2',
    "Readiness probe failed: HTTP probe failed with statuscode: 503", "Liveness probe failed: dial tcp: i/o timeout",
    'persistentvolumeclaim "db" not found', "failed to create containerd task: exec: \"run\": not found",
    "MountVolume.SetUp failed for volume \"data\" : configmap \"web\" not found",
    "The node had condition: [DiskPressure]",
    'error looking up service account shop/web: serviceaccount "web" not found', "Scaled up replica set web-1 to 1",
    "container init was OOM-killed (memory limit too low?)", "Killing", "deadline exceeded", "",
)  # fmt: skip
REASONS = (
    "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "OOMKilled", "Error",
    "Completed", "ContainerCreating", "Unschedulable", "BackoffLimitExceeded", "DeadlineExceeded", "FailedScheduling",
    "FailedCreate", "Evicted", "ScalingReplicaSet", "FailedMount", "Unhealthy", "ProgressDeadlineExceeded", "NodeLost",
    "InvalidSchedule", "BackOff", "Failed", "FailedAttachVolume", "ProvisioningFailed", "KubeletNotReady", "",
)  # fmt: skip

Shape = Any


class Names(dict[str, Shape]):
    """A map of names, whose values are never null."""


LABELS = Names(app=("web", "db"), tier=("web", ""))
EXPRESSION = {
    "key": ("app", "tier"),
    "operator": ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
    "values": [("web", "db", "1")],
}
SELECTOR = {"matchLabels": LABELS, "matchExpressions": [EXPRESSION]}
OWNER = {
    "kind": ("ReplicaSet", "StatefulSet", "Job", "CronJob", "DaemonSet", "Node", "Deployment", "Cat"),
    "name": NAMES,
    "controller": (True, False),
}
CONDITION = {
    "type": (
        "Ready", "PodScheduled", "Failed", "Complete", "FailureTarget", "SuccessCriteriaMet", "Available",
        "Progressing",
        "ReplicaFailure", "MemoryPressure", "DiskPressure", "NetworkUnavailable", "ContainersReady", "ScalingActive",
        "AbleToScale", "Degraded", "Synced", "DisruptionAllowed", "FileSystemResizePending",
    ),
    "status": STATUSES,
    "reason": REASONS,
    "message": TEXTS,
    "lastTransitionTime": TIMES,
    "observedGeneration": NUMBERS,
}  # fmt: skip
ENDED = {
    "reason": REASONS,
    "exitCode": (0, 1, 127, 137, 143, 255),
    "message": TEXTS,
    "startedAt": TIMES,
    "finishedAt": TIMES,
    "signal": NUMBERS,
}
STATE = {
    "waiting": {"reason": REASONS, "message": TEXTS},
    "running": {"startedAt": TIMES},
    "terminated": ENDED,
}
CONTAINER_STATUS = {
    "name": ("main", "sidecar"),
    "ready": (True, False),
    "started": (True, False),
    "restartCount": (0, 1, 12),
    "image": IMAGES,
    "imageID": IMAGES,
    "state": STATE,
    "lastState": STATE,
}
CHECK = {
    "httpGet": {"path": ("/", "/health"), "port": PORTS, "scheme": ("HTTP", "HTTPS"), "host": NAMES},
    "tcpSocket": {"port": PORTS},
    "grpc": {"port": (80, 8080), "service": TEXTS},
    "exec": {"command": [TEXTS]},
    "failureThreshold": (0, 1, 3),
    "periodSeconds": (0, 10),
    "initialDelaySeconds": (0, 5),
    "timeoutSeconds": (0, 1),
}
REFERENCE = {"name": NAMES, "key": NAMES, "optional": (True, False)}
VARIABLE = {
    "name": ("DB_HOST", "DB_PORT", "PORT", "REDIS_URL", "X"),
    "value": TEXTS,
    "valueFrom": {
        "configMapKeyRef": REFERENCE,
        "secretKeyRef": REFERENCE,
        "fieldRef": {"fieldPath": ("status.podIP",)},
    },
}
RESOURCES = Names({"cpu": QUANTITIES, "memory": QUANTITIES, "ephemeral-storage": QUANTITIES})
CONTAINER = {
    "name": ("main", "sidecar"),
    "image": IMAGES,
    "command": [TEXTS],
    "args": [TEXTS],
    "env": [VARIABLE],
    "envFrom": [{"configMapRef": REFERENCE, "secretRef": REFERENCE, "prefix": ("", "X_")}],
    "ports": [{"containerPort": (0, 80, 8080, 5432), "name": ("http",), "protocol": ("TCP", "UDP")}],
    "resources": {"limits": RESOURCES, "requests": RESOURCES},
    "volumeMounts": [{"name": NAMES, "mountPath": ("/data",), "subPath": NAMES}],
    "readinessProbe": CHECK,
    "livenessProbe": CHECK,
    "startupProbe": CHECK,
    "restartPolicy": ("Always",),
}
TERM = {"matchExpressions": [EXPRESSION], "matchFields": [EXPRESSION]}
POD_TERM = {"labelSelector": SELECTOR, "topologyKey": NAMES, "namespaces": [("shop",)]}
POD_AFFINITY = {
    "requiredDuringSchedulingIgnoredDuringExecution": [POD_TERM],
    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": NUMBERS, "podAffinityTerm": POD_TERM}],
}
VOLUME = {
    "name": NAMES,
    "persistentVolumeClaim": {"claimName": NAMES},
    "configMap": REFERENCE,
    "secret": {"secretName": NAMES, "optional": (True, False)},
    "projected": {"sources": [{"configMap": REFERENCE, "secret": REFERENCE}]},
    "emptyDir": {"sizeLimit": QUANTITIES},
    "hostPath": {"path": TEXTS},
}
POD_SPEC = {
    "nodeName": ("node-a", "node-b"),
    "containers": [CONTAINER],
    "initContainers": [CONTAINER],
    "volumes": [VOLUME],
    "nodeSelector": LABELS,
    "tolerations": [
        {"key": ("app", ""), "operator": ("Exists", "Equal"), "value": NAMES, "effect": ("NoSchedule", "")}
    ],
    "affinity": {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [TERM]}},
        "podAffinity": POD_AFFINITY,
        "podAntiAffinity": POD_AFFINITY,
    },
    "topologySpreadConstraints": [{"maxSkew": NUMBERS, "topologyKey": NAMES, "labelSelector": SELECTOR}],
    "serviceAccountName": NAMES,
    "imagePullSecrets": [{"name": NAMES}],
    "hostNetwork": (True, False),
    "hostAliases": [{"ip": ADDRESSES, "hostnames": [NAMES]}],
    "dnsPolicy": ("ClusterFirst", "Default", "None"),
    "dnsConfig": {"nameservers": [ADDRESSES], "options": [{"name": ("ndots",), "value": ("5",)}]},
    "schedulerName": NAMES,
    "schedulingGates": [{"name": NAMES}],
    "priorityClassName": NAMES,
    "restartPolicy": ("Always", "Never", "OnFailure"),
    "terminationGracePeriodSeconds": NUMBERS,
}
TEMPLATE = {"metadata": {"labels": LABELS, "annotations": LABELS, "creationTimestamp": TIMES}, "spec": POD_SPEC}
REPLICAS = dict.fromkeys(
    ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "unavailableReplicas", "currentReplicas"),
    (0, 1, 3),
)
POD_STATUS = {
    "phase": ("Pending", "Running", "Succeeded", "Failed", "Unknown"),
    "reason": REASONS,
    "message": TEXTS,
    "podIP": ADDRESSES,
    "startTime": TIMES,
    "conditions": [CONDITION],
    "containerStatuses": [CONTAINER_STATUS],
    "initContainerStatuses": [CONTAINER_STATUS],
    "qosClass": ("Burstable",),
}
JOB_SPEC = {
    "backoffLimit": (0, 6),
    "activeDeadlineSeconds": (0, 600),
    "suspend": (True, False),
    "parallelism": NUMBERS,
    "completions": NUMBERS,
    "selector": SELECTOR,
    "template": TEMPLATE,
}
WORKLOAD = {"replicas": (0, 1, 3), "selector": SELECTOR, "template": TEMPLATE, "paused": (True, False)}
SUBJECTS = [{"kind": ("ServiceAccount", "User", "Group"), "name": NAMES, "namespace": ("shop",)}]
RULES = [
    {
        "verbs": [("get", "list", "*")],
        "apiGroups": [("", "apps", "*")],
        "resources": [("pods", "pods/log", "*")],
        "resourceNames": [NAMES],
        "nonResourceURLs": [("/metrics", "*")],
    }
]
BACKEND = {
    "service": {"name": NAMES, "port": {"number": (80, 8080), "name": ("http",)}},
    "resource": {"kind": NAMES},
}
PEERS = [
    {
        "podSelector": SELECTOR,
        "namespaceSelector": SELECTOR,
        "ipBlock": {"cidr": ("10.0.0.0/24", "0.0.0.0/0", "::/0"), "except": [("10.0.0.0/28",)]},
    }
]
POLICY_PORTS = [{"port": PORTS, "endPort": (0, 9000), "protocol": ("TCP", "UDP")}]
ENDPOINT = {"ip": ADDRESSES, "targetRef": {"kind": ("Pod",), "name": NAMES}, "nodeName": ("node-a",)}
CLAIM_SPEC = {
    "storageClassName": NAMES,
    "volumeName": NAMES,
    "volumeMode": ("Filesystem", "Block"),
    "accessModes": [("ReadWriteOnce", "ReadWriteMany")],
    "resources": {"requests": {"storage": QUANTITIES}},
    "selector": SELECTOR,
}

KINDS: dict[str, Shape] = {
    "Pod": {"spec": POD_SPEC, "status": POD_STATUS},
    "Deployment": {"spec": WORKLOAD, "status": {**REPLICAS, "conditions": [CONDITION], "observedGeneration": NUMBERS}},
    "ReplicaSet": {"spec": WORKLOAD, "status": {**REPLICAS, "conditions": [CONDITION]}},
    "StatefulSet": {
        "spec": {**WORKLOAD, "serviceName": NAMES, "volumeClaimTemplates": [{"metadata": {"name": NAMES}}]},
        "status": {**REPLICAS, "currentRevision": NAMES, "updateRevision": NAMES},
    },
    "DaemonSet": {
        "spec": {"selector": SELECTOR, "template": TEMPLATE},
        "status": dict.fromkeys(("desiredNumberScheduled", "numberReady", "numberUnavailable"), (0, 1, 3)),
    },
    "ControllerRevision": {"revision": (0, 1, 2), "data": {"spec": {"template": TEMPLATE}}},
    "Job": {
        "spec": JOB_SPEC,
        "status": {
            "startTime": TIMES,
            "completionTime": TIMES,
            "failed": (0, 3),
            "active": (0, 1),
            "succeeded": (0, 1),
            "conditions": [CONDITION],
        },
    },
    "CronJob": {
        "spec": {
            "schedule": ("*/5 * * * *", "0 0 31 2 *", "@daily", "", "nonsense", "TZ=UTC 0 * * * *"),
            "timeZone": ("Etc/UTC", "Nowhere", ""),
            "suspend": (True, False),
            "concurrencyPolicy": ("Forbid", "Allow"),
            "startingDeadlineSeconds": NUMBERS,
            "jobTemplate": {"spec": JOB_SPEC},
        },
        "status": {
            "lastScheduleTime": TIMES,
            "lastSuccessfulTime": TIMES,
            "active": [{"kind": ("Job",), "name": NAMES}],
        },
    },
    "Service": {
        "spec": {
            "selector": LABELS,
            "clusterIP": (*ADDRESSES, "None"),
            "type": ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
            "externalName": TEXTS,
            "publishNotReadyAddresses": (True, False),
            "ports": [{"port": (80, 5432), "targetPort": PORTS, "name": ("http",), "protocol": ("TCP", "UDP")}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": ADDRESSES, "hostname": NAMES}]}},
    },
    "Endpoints": {
        "subsets": [
            {
                "addresses": [ENDPOINT],
                "notReadyAddresses": [ENDPOINT],
                "ports": [{"port": (80, 8080), "name": ("http",)}],
            }
        ]
    },
    "EndpointSlice": {
        "endpoints": [{"addresses": [ADDRESSES], "conditions": {"ready": (True, False)}}],
        "ports": [{"port": (80, 8080), "name": ("http",)}],
    },
    "ConfigMap": {"data": Names({"Corefile": TEXTS, "application.yaml": TEXTS, "X": TEXTS}), "binaryData": LABELS},
    "Secret": {"data": LABELS, "type": NAMES},
    "ServiceAccount": {"imagePullSecrets": [{"name": NAMES}], "secrets": [{"name": NAMES}]},
    "PersistentVolumeClaim": {
        "spec": CLAIM_SPEC,
        "status": {
            "phase": ("Pending", "Bound", "Lost"),
            "capacity": {"storage": QUANTITIES},
            "accessModes": [("ReadWriteOnce",)],
            "conditions": [CONDITION],
        },
    },
    "PersistentVolume": {
        "spec": {
            "capacity": {"storage": QUANTITIES},
            "accessModes": [("ReadWriteOnce", "ReadOnlyMany")],
            "claimRef": {"name": NAMES, "namespace": ("shop",), "uid": NAMES},
            "storageClassName": NAMES,
            "nodeAffinity": {"required": {"nodeSelectorTerms": [TERM]}},
            "volumeMode": ("Filesystem",),
        },
        "status": {"phase": ("Available", "Bound", "Released", "Failed"), "message": TEXTS, "reason": REASONS},
    },
    "StorageClass": {"provisioner": NAMES, "volumeBindingMode": ("Immediate", "WaitForFirstConsumer")},
    "ResourceQuota": {
        "spec": {"hard": {**RESOURCES, "pods": QUANTITIES, "count/pods": QUANTITIES}, "scopes": [NAMES]},
        "status": {"hard": {**RESOURCES, "pods": QUANTITIES}, "used": {**RESOURCES, "pods": QUANTITIES}},
    },
    "LimitRange": {
        "spec": {"limits": [{"type": ("Container",), "max": RESOURCES, "min": RESOURCES, "default": RESOURCES}]}
    },
    "Ingress": {
        "spec": {
            "ingressClassName": NAMES,
            "defaultBackend": BACKEND,
            "tls": [{"hosts": [NAMES], "secretName": NAMES}],
            "rules": [
                {"host": NAMES, "http": {"paths": [{"path": ("/",), "pathType": ("Prefix",), "backend": BACKEND}]}}
            ],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": ADDRESSES}]}},
    },
    "IngressClass": {"spec": {"controller": NAMES}},
    "NetworkPolicy": {
        "spec": {
            "podSelector": SELECTOR,
            "policyTypes": [("Ingress", "Egress")],
            "ingress": [{"from": PEERS, "ports": POLICY_PORTS}],
            "egress": [{"to": PEERS, "ports": POLICY_PORTS}],
        }
    },
    "HorizontalPodAutoscaler": {
        "spec": {
            "scaleTargetRef": {"kind": ("Deployment", "StatefulSet"), "name": NAMES},
            "minReplicas": (0, 1),
            "maxReplicas": (0, 1, 3),
            "metrics": [{"type": NAMES, "resource": {"name": ("cpu",), "target": {"averageUtilization": NUMBERS}}}],
        },
        "status": {**REPLICAS, "desiredReplicas": (0, 3), "conditions": [CONDITION], "lastScaleTime": TIMES},
    },
    "PodDisruptionBudget": {
        "spec": {"selector": SELECTOR, "minAvailable": (0, 1, "50%"), "maxUnavailable": (0, "25%")},
        "status": {
            "disruptionsAllowed": (0, 1),
            "currentHealthy": (0, 1),
            "desiredHealthy": (0, 1),
            "expectedPods": (0, 1),
        },
    },
    "Namespace": {"status": {"phase": ("Active", "Terminating"), "conditions": [CONDITION]}},
    "Node": {
        "spec": {
            "unschedulable": (True, False),
            "taints": [{"key": ("app", "node.kubernetes.io/unreachable"), "value": NAMES, "effect": ("NoSchedule",)}],
            "podCIDR": ADDRESSES,
            "providerID": NAMES,
        },
        "status": {
            "conditions": [CONDITION],
            "addresses": [{"type": ("InternalIP", "Hostname", "ExternalIP"), "address": (*ADDRESSES, "node-a")}],
            "allocatable": {**RESOURCES, "pods": QUANTITIES},
            "capacity": {**RESOURCES, "pods": QUANTITIES},
            "nodeInfo": {"kubeletVersion": ("v1.31.2", "")},
            "images": [{"names": [IMAGES], "sizeBytes": NUMBERS}],
        },
    },
    "Event": {
        "type": ("Warning", "Normal"),
        "reason": REASONS,
        "message": TEXTS,
        "note": TEXTS,
        "count": (0, 1, 12),
        "deprecatedCount": (0, 3),
        "series": {"count": (0, 5), "lastObservedTime": TIMES},
        "firstTimestamp": TIMES,
        "lastTimestamp": TIMES,
        "eventTime": TIMES,
        "source": {"component": NAMES, "host": NAMES},
        "reportingComponent": ("kubelet", "responder"),
        "involvedObject": {
            "kind": ("Pod", "Deployment", "ReplicaSet", "Job", "CronJob", "Node", "PersistentVolumeClaim", "Cat"),
            "name": NAMES,
            "namespace": ("shop",),
            "fieldPath": ("spec.containers{main}",),
        },
    },
    "Role": {"rules": RULES},
    "ClusterRole": {"rules": RULES, "aggregationRule": {"clusterRoleSelectors": [SELECTOR]}},
    "RoleBinding": {"roleRef": {"kind": ("Role", "ClusterRole"), "name": NAMES}, "subjects": SUBJECTS},
    "ClusterRoleBinding": {"roleRef": {"kind": ("ClusterRole",), "name": NAMES}, "subjects": SUBJECTS},
    "PodMetrics": {"containers": [{"name": ("main",), "usage": RESOURCES}], "timestamp": TIMES, "window": ("15s",)},
    "NodeMetrics": {"usage": RESOURCES, "timestamp": TIMES},
    "kubechatcommands.kubechat.io": {
        "status": {"conditions": [CONDITION], "observedGeneration": NUMBERS, "phase": REASONS, "state": REASONS}
    },
}
CLUSTER_WIDE = (
    "Node", "Namespace", "PersistentVolume", "StorageClass", "ClusterRole", "ClusterRoleBinding", "IngressClass",
    "NodeMetrics",
)  # fmt: skip
METADATA = {
    "uid": NAMES,
    "generation": NUMBERS,
    "creationTimestamp": TIMES,
    "deletionTimestamp": TIMES,
    "finalizers": [NAMES],
    "labels": Names({**LABELS, "kubernetes.io/service-name": NAMES, "k8s-app": ("kube-dns", "web")}),
    "annotations": Names(
        {
            "deployment.kubernetes.io/revision": ("1", "2", "x"),
            "kubernetes.io/config.source": ("file",),
            "volume.kubernetes.io/selected-node": NAMES,
        }
    ),
    "ownerReferences": [OWNER],
    "managers": [{"manager": NAMES, "operation": ("Update", "Apply"), "time": TIMES, "fields": [("spec.template",)]}],
}
