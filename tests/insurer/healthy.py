"""The system in order: forty services, gateway and portal, database, registry, queue and cache, and their noise."""

# ruff: noqa: E501 - messages as they are written

from datetime import timedelta

from tests.insurer import lines
from tests.insurer.system import BUSINESS, Raw, Style, System, running, stamp
from tests.makers import NOW


def healthy(style: Style) -> System:
    """Everything in order, an hour after it was set up; with the noise and the scars of its start."""
    system = System(style)
    system.add("Namespace", style.namespace, "")
    for name, plane in (("cp-1", True), ("wrk-a", False), ("wrk-b", False), ("wrk-c", False)):
        system.node(name, plane=plane)
    _middleware(system)
    for number, core in enumerate(BUSINESS):
        _business(system, core, ("wrk-a", "wrk-b", "wrk-c")[number % 3])
    _gateway(system)
    _system_pods(system)
    return system


def _business(system: System, core: str, node: str) -> None:
    style = system.style
    name, port = style.name(core), style.port(core)
    env: list[Raw] = [
        {"name": "SPRING_APPLICATION_NAME", "value": name},
        {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx384m -XX:+UseG1GC"},
        {"name": "NACOS_ADDRS", "value": "registry:8848"},
        {"name": "SPRING_RABBITMQ_HOST", "value": "queue"},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    sources: list[Raw] = []
    if style.settings == "env":
        env += [
            {"name": "SPRING_DATASOURCE_URL", "value": f"jdbc:mysql://db:3306/{core.replace('-', '_')}?useSSL=false"},
            {"name": "SPRING_DATASOURCE_USERNAME", "value": "insurer"},
            {
                "name": "SPRING_DATASOURCE_PASSWORD",
                "valueFrom": {"secretKeyRef": {"name": "db-login", "key": "password"}},
            },
        ]
    elif style.settings == "secret":
        sources.append({"secretRef": {"name": f"{core}-mysql"}})
        system.add(
            "Secret", f"{core}-mysql", type="Opaque", data={"MYSQL_HOST": "", "MYSQL_PORT": "", "MYSQL_PASSWORD": ""}
        )
    else:
        sources.append({"configMapRef": {"name": f"{core}-config"}})
        system.add("ConfigMap", f"{core}-config", data={"MYSQL_HOST": "db", "MYSQL_PORT": "3306", "FEATURE_X": "on"})
    probe = {
        "tcpSocket": {"port": port},
        "initialDelaySeconds": 60,
        "periodSeconds": 10,
        "timeoutSeconds": 5,
        "failureThreshold": 3,
    }
    system.workload(
        name,
        [
            {
                "name": name,
                "image": f"registry.example.com/insurer/{core}:1.4.2",
                "ports": [{"containerPort": port, "protocol": "TCP"}],
                "env": env,
                **({"envFrom": sources} if sources else {}),
                "resources": {
                    "requests": {"cpu": "100m", "memory": "300Mi"},
                    "limits": {"cpu": "500m", "memory": "600Mi"},
                },
                "readinessProbe": dict(probe),
                "livenessProbe": {**probe, "initialDelaySeconds": 120},
            }
        ],
        node=node,
    )
    system.service(name, port)
    pod = system.pod_name(name)
    # the database came up last: some services were restarted once, then all was well
    if len(core) % 3 == 0:
        status = system.get("Pod", pod)["status"]["containerStatuses"][0]
        ended = stamp(style.born + timedelta(seconds=40))
        status |= {
            "restartCount": 1,
            "lastState": {
                "terminated": {"exitCode": 1, "reason": "Error", "startedAt": stamp(style.born), "finishedAt": ended}
            },
        }
        system.say(pod, name, lines.refused_by_mysql(), ago=system.since(40), previous=True)
    system.say(pod, name, [lines.NACOS_LATE], ago=system.since(20))
    system.say(pod, name, lines.started(name, port), ago=system.since(86))
    system.say(pod, name, lines.noise(name), ago=min(400, system.since(95)))
    system.say(pod, name, lines.noise(name), ago=30)
    system.event(
        "Pod",
        pod,
        "Unhealthy",
        f"Readiness probe failed: dial tcp 10.244.1.7:{port}: connect: connection refused",
        count=2,
        ago=system.since(60),
    )
    system.event("Pod", pod, "Started", f"Started container {name}", ago=system.since(5), warn=False)


def _gateway(system: System) -> None:
    style = system.style
    routes = "".join(
        f"        - id: {core}\n          uri: http://{style.name(core)}:{style.port(core)}\n          predicates:\n"
        f"            - Path=/api/v1/{core.replace('-', '')}service/**\n          filters:\n            - StripPrefix=0\n"
        for core in BUSINESS
    )
    text = f"server:\n  port: 18888\nspring:\n  application:\n    name: edge\n  cloud:\n    gateway:\n      routes:\n{routes}"
    system.add("ConfigMap", "edge-gateway-config", data={"application.yml": text})
    system.workload(
        "edge-gateway",
        [
            {
                "name": "edge-gateway",
                "image": "registry.example.com/insurer/edge:1.4.2",
                "ports": [{"containerPort": 18888}],
                "volumeMounts": [{"name": "config", "mountPath": "/app/config"}],
                "readinessProbe": {"tcpSocket": {"port": 18888}, "initialDelaySeconds": 40},
            }
        ],
        volumes=[{"name": "config", "configMap": {"name": "edge-gateway-config"}}],
    )
    system.service("edge-gateway", 18888)
    system.say(
        system.pod_name("edge-gateway"), "edge-gateway", lines.started("edge-gateway", 18888), ago=system.since(88)
    )
    system.add(
        "ConfigMap",
        "portal-nginx",
        data={
            "nginx.conf": "events {}\nhttp {\n  server {\n    listen 80;\n    location / {\n      root /usr/share/nginx/html;\n    }\n    location /api/ {\n      proxy_pass http://edge-gateway:18888;\n    }\n  }\n}\n"
        },
    )
    system.workload(
        "portal",
        [
            {
                "name": "portal",
                "image": "nginx:1.25",
                "ports": [{"containerPort": 80}],
                "volumeMounts": [{"name": "conf", "mountPath": "/etc/nginx"}],
            }
        ],
        volumes=[{"name": "conf", "configMap": {"name": "portal-nginx"}}],
    )
    system.service("portal", 80, type="NodePort")


def _middleware(system: System) -> None:
    system.add("Secret", "db-login", type="Opaque", data={"password": "", "root": ""})
    system.add(
        "ConfigMap",
        "db-config",
        data={"my.cnf": "[mysqld]\ncharacter-set-server=utf8mb4\nmax_connections=2000\nport=3306\n"},
    )
    system.add(
        "PersistentVolumeClaim",
        "data-db-0",
        spec={
            "volumeName": "pv-1",
            "storageClassName": "local",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Gi"}},
        },
        status={"phase": "Bound"},
    )
    system.add(
        "PersistentVolume",
        "pv-1",
        "",
        spec={
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "local",
            "claimRef": {"namespace": system.namespace, "name": "data-db-0", "uid": "PersistentVolumeClaim-data-db-0"},
        },
        status={"phase": "Bound"},
    )
    system.add("StorageClass", "local", "", version="storage.k8s.io/v1", provisioner="kubernetes.io/no-provisioner")
    system.add("ServiceAccount", "default")
    system.workload(
        "db",
        [
            {
                "name": "mysql",
                "image": "docker.io/library/mysql:8.0.30",
                "ports": [{"containerPort": 3306, "name": "mysql"}],
                "env": [
                    {"name": "MYSQL_ROOT_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db-login", "key": "root"}}}
                ],
                "volumeMounts": [
                    {"name": "data", "mountPath": "/var/lib/mysql"},
                    {"name": "conf", "mountPath": "/etc/mysql/conf.d"},
                ],
                "readinessProbe": {"exec": {"command": ["mysqladmin", "ping"]}},
            }
        ],
        kind="StatefulSet",
        node="wrk-b",
        volumes=[
            {"name": "conf", "configMap": {"name": "db-config"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
        ],
    )
    for core in ("payment", "quote", "policy") if system.style.own_databases else ():
        own = f"{core}-mysql"
        system.workload(
            own, [{"name": "mysql", "image": "mysql:8.0.30", "ports": [{"containerPort": 3306}]}], node="wrk-c"
        )
        system.service(own, 3306)
    system.service("db", 3306, **({"clusterIP": "None"} if system.style.headless_database else {}))
    system.say("db-0", "mysql", lines.MYSQL_UP, ago=system.since(50))
    for name, image, port in (
        ("registry", "nacos/nacos-server:v2.1.1", 8848),
        ("queue", "rabbitmq:3.11", 5672),
        ("cache", "redis:7", 6379),
    ):
        system.workload(name, [{"name": name, "image": image, "ports": [{"containerPort": port}]}], node="wrk-c")
        system.service(name, port)


def _system_pods(system: System) -> None:
    for name, node in (
        ("kube-scheduler-cp-1", "cp-1"),
        ("kube-proxy-aaaaa", "wrk-a"),
        ("kube-proxy-bbbbb", "wrk-b"),
        ("coredns-5d78c-zzzzz", "wrk-b"),
    ):
        labels = {"k8s-app": "kube-dns"} if name.startswith("coredns") else {}
        system.add(
            "Pod",
            name,
            "kube-system",
            metadata={"labels": labels},
            spec={"nodeName": node, "containers": [{"name": "c", "image": "k8s"}]},
            status={
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [running("c", "k8s", NOW - timedelta(days=9))],
            },
        )
    system.add(
        "ConfigMap",
        "coredns",
        "kube-system",
        data={
            "Corefile": ".:53 {\n    errors\n    health\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n        pods insecure\n        fallthrough in-addr.arpa ip6.arpa\n    }\n    forward . /etc/resolv.conf\n    cache 30\n}\n"
        },
    )
