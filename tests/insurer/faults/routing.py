"""Services, addresses, names, gateways."""

# ruff: noqa: E501 - messages as they are written

from tests.insurer import lines
from tests.insurer.fault import fault, fresh, set_env
from tests.insurer.system import System


@fault("service-selector-mismatch", "another label")
def _(system: System, app: str) -> None:
    system.get("Service", app)["spec"]["selector"] = {"app": f"{app}-v2"}
    system.objects["Endpoints", app].pop("subsets")


@fault("service-port-mapping-mismatch", "another target")
def _(system: System, app: str) -> None:
    system.get("Service", app)["spec"]["ports"][0]["targetPort"] = 9090
    system.objects["Endpoints", app]["subsets"][0]["ports"][0]["port"] = 9090


@fault("service-port-mapping-mismatch", "a name that no port has")
def _(system: System, app: str) -> None:
    system.get("Service", app)["spec"]["ports"][0]["targetPort"] = "web"
    system.objects["Endpoints", app].pop("subsets")


@fault("service-protocol-mismatch", "UDP")
def _(system: System, app: str) -> None:
    system.get("Service", app)["spec"]["ports"][0]["protocol"] = "UDP"


@fault("service-env-var-address-mismatch", "a misspelt host")
def _(system: System, app: str) -> None:
    wrong = system.style.name("payment") + "s"
    set_env(system, app, "PAYMENT_URL", f"http://{wrong}:{system.style.port('payment')}")
    pod = fresh(system, app)
    system.say(
        pod,
        app,
        lines.call_fails(f"http://{wrong}:{system.style.port('payment')}/x", f"java.net.UnknownHostException: {wrong}"),
        ago=20,
    )


@fault("service-env-var-address-mismatch", "a wrong port")
def _(system: System, app: str) -> None:
    payment = system.style.name("payment")
    set_env(system, app, "PAYMENT_URL", f"http://{payment}:18081")
    pod = fresh(system, app)
    system.say(
        pod,
        app,
        lines.call_fails(f"http://{payment}:18081/x", "java.net.SocketTimeoutException: connect timed out"),
        ago=20,
    )


@fault("service-env-var-address-mismatch", "a host that is unlike any")
def _(system: System, app: str) -> None:
    set_env(system, app, "NACOS_ADDRS", "nowhere:8848")
    pod = fresh(system, app)
    system.crashing(app)
    system.say(
        pod,
        app,
        lines.failed(
            lines.spring("ERROR", "Application run failed", "o.s.boot.SpringApplication", "main"),
            "com.alibaba.nacos.api.exception.NacosException: failed to req API:/nacos/v1/ns/instance after all servers([nowhere:8848]) tried",
            "java.net.UnknownHostException: nowhere",
        ),
        previous=True,
    )


@fault("service-dns-resolution-failure", "a policy that leads out of the cluster")
def _(system: System, app: str) -> None:
    system.template(app)["dnsPolicy"] = "None"
    system.template(app)["dnsConfig"] = {"nameservers": ["203.0.113.53"]}
    pod = fresh(system, app)
    system.crashing(app)
    system.say(
        pod,
        app,
        lines.refused_by_mysql("java.net.UnknownHostException: db: Temporary failure in name resolution"),
        previous=True,
    )


@fault("service-dns-resolution-failure", "the node's DNS")
def _(system: System, app: str) -> None:
    system.template(app)["dnsPolicy"] = "Default"
    pod = fresh(system, app)
    system.not_ready(app)
    system.say(pod, app, lines.refused_by_mysql("java.net.UnknownHostException: db: Name or service not known"))


@fault("service-dns-resolution-failure", "its service is gone", core="payment")
def _(system: System, app: str) -> None:
    del system.objects["Service", app], system.objects["Endpoints", app]
    for core in ("claim", "invoice"):
        caller = system.style.name(core)
        system.say(
            system.pod_name(caller),
            caller,
            lines.call_fails(f"http://{app}:{system.style.port('payment')}/x", f"java.net.UnknownHostException: {app}"),
            ago=20,
        )


@fault("service-dns-resolution-failure", "a host alias")
def _(system: System, app: str) -> None:
    payment = system.style.name("payment")
    system.template(app)["hostAliases"] = [{"ip": "192.0.2.7", "hostnames": [payment]}]
    fresh(system, app)


@fault("service-dns-resolution-failure", "a rule of the cluster's DNS", core="payment")
def _(system: System, app: str) -> None:
    text = system.get("ConfigMap", "coredns")["data"]["Corefile"]
    name = f"{app}.{system.namespace}.svc.cluster.local"
    rule = f"    template ANY ANY {name} {{\n        rcode NXDOMAIN\n    }}\n    kubernetes cluster"
    system.get("ConfigMap", "coredns")["data"]["Corefile"] = text.replace("    kubernetes cluster", rule)
    caller = system.style.name("claim")
    system.say(
        system.pod_name(caller),
        caller,
        lines.call_fails(f"http://{app}:{system.style.port('payment')}/x", f"java.net.UnknownHostException: {app}"),
        ago=20,
    )


_GATEWAY = {"subject": "deployment/edge-gateway"}


def _reroute(system: System) -> None:
    data, style = system.get("ConfigMap", "edge-gateway-config")["data"], system.style
    right = f"uri: http://{style.name('claim')}:{style.port('claim')}\n"
    assert right in data["application.yml"]
    wrong = f"uri: http://{style.name('user')}:{style.port('user')}\n"
    data["application.yml"] = data["application.yml"].replace(right, wrong)


@fault("gateway-misroute", "in its config map", **_GATEWAY)
def _(system: System, app: str) -> None:
    _reroute(system)


@fault("gateway-misroute", "and the other service says 404", **_GATEWAY)
def _(system: System, app: str) -> None:
    _reroute(system)
    user = system.style.name("user")
    system.say(
        system.pod_name(user),
        user,
        [lines.spring("WARN", "No mapping for GET /api/v1/claimservice/claims", "o.s.web.servlet.PageNotFound")] * 3,
        ago=20,
    )


@fault("gateway-misroute", "in a variable that overrides the file", **_GATEWAY)
def _(system: System, app: str) -> None:
    style = system.style
    set_env(system, "edge-gateway", "SPRING_CLOUD_GATEWAY_ROUTES_1_ID", "claim")
    set_env(
        system, "edge-gateway", "SPRING_CLOUD_GATEWAY_ROUTES_1_URI", f"http://{style.name('user')}:{style.port('user')}"
    )
    set_env(system, "edge-gateway", "SPRING_CLOUD_GATEWAY_ROUTES_1_PREDICATES_0", "Path=/api/v1/claimservice/**")


@fault("gateway-misroute", "in nginx", subject="deployment/portal")
def _(system: System, app: str) -> None:
    style = system.style
    places = "".join(
        f"    location /{core}/ {{\n      proxy_pass http://{style.name('user' if core == 'claim' else core)}:{style.port(core)};\n    }}\n"
        for core in ("policy", "claim", "quote", "payment", "user")
    )
    system.get("ConfigMap", "portal-nginx")["data"]["nginx.conf"] = (
        f"http {{\n  server {{\n    listen 80;\n{places}  }}\n}}\n"
    )
