"""Gateways that lead a path to the wrong service.

Routes follow a convention: the path, or the route's name, bears the name of the service. Where most of a gateway's
routes do so, the one that bears the name of another service than it leads to is wrong.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from responder.detectors import Case
from responder.detectors._scene import Scene
from responder.detectors._writing import LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.kubernetes import Object
from responder.model.routes import Route, declared_routes, routes_of

MISROUTE = Cause(
    slug="gateway-misroute",
    title="The gateway leads a path to the wrong service",
    meaning="A route sends requests to a service that they are not meant for: it answers 404, or wrongly.",
    confirm="Compare the route with its siblings; send one request through the gateway and read the service's log",
    fix="Correct the route's target",
    reference="https://docs.spring.io/spring-cloud-gateway/reference/",
)
CAUSES = (MISROUTE,)

_UNMAPPED = re.compile(
    r"(?:No mapping for (?:GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS) |No handler found for [A-Z]+ |No static resource "
    r"|Cannot (?:GET|POST|PUT|DELETE|PATCH) |No endpoint (?:GET|POST|PUT|DELETE|PATCH) )/?(?P<path>[\w./-]+)"
)
_GATEWAY = re.compile(r"gateway|zuul|kong|apisix|traefik|ingress|edge-?router|api-?gw", re.IGNORECASE)
_NO_NAMES = frozenset(("api", "rest", "v1", "v2", "v3", "public", "internal", "services", "service", "http", "web"))


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    by_owner: dict[str, list[Route]] = {}
    for workload in scene.graph.workloads:
        for route in routes_of(scene.picture, workload):
            by_owner.setdefault(str(workload.subject), []).append(route)
    for route in declared_routes(scene.picture, scene.namespace):
        by_owner.setdefault(route.where, []).append(route)
    strays = _strays(scene)
    told = 0
    for routes in by_owner.values():
        for finding in _wrong(scene, routes, strays):
            told += 1
            yield finding
    if not told:
        for finding in _by_log(scene, strays, by_owner):
            told += 1
            yield finding
    count = sum(map(len, by_owner.values()))
    if count and not told:
        owner = next(iter(by_owner.values()))[0].owner
        yield Cleared(text=f"routes ({plural(count, 'route')} lead where their names say)", evidence=owner.evidence)


def _wrong(
    scene: Scene, routes: Sequence[Route], strays: Mapping[str, Sequence[tuple[Object, str, str]]]
) -> Iterator[Finding]:
    """Of one gateway's routes those that break the convention of the others."""
    cores = {scene.graph.core(item.name): item.name for item in (*scene.graph.services, *scene.graph.workloads)}
    right = [route for route in routes if _target(scene, route) in _meant(scene, route)]
    for route in routes:
        target, meant = _target(scene, route), _meant(scene, route)
        named = [cores[core] for core in meant if core in cores]
        if target in meant or (not named and not (route.balanced and target not in cores)):
            continue
        if not named and len(right) * 2 <= len(routes):
            continue
        reasons = [because(route.shown, route.source)]
        reasons += [because(f"as it should be: {other.shown}", other.source) for other in right[:2]]
        seen = [item for name in named for item in strays.get(name, ()) if scene.graph.core(item[0].name) == target]
        reasons += [because(f"{item[0].subject} knows nothing of it: {quote(item[1])}", item[2]) for item in seen[:2]]
        should = f", not to {listed(named)}" if named else ", of which nothing is known"
        sure = LIKELY if seen or (named and right) or not named else POSSIBLE
        yield found(
            MISROUTE,
            route.owner.subject,
            sure,
            f"{route.owner.subject} leads {route.path} to {route.host}{should}",
            reasons,
            next_steps=_steps(scene, route.source),
            since=route.source.created,
        )


def _target(scene: Scene, route: Route) -> str:
    return scene.graph.core(route.host.partition(".")[0])


def _meant(scene: Scene, route: Route) -> list[str]:
    """What a route's path, and its name, say of the service, in cores."""
    words = [word for word in re.split(r"[^\w-]+", route.path.lower()) if len(word) > 1 and word not in _NO_NAMES]
    return list(dict.fromkeys(scene.graph.core(word) for word in (*words[:3], *filter(None, (route.name.lower(),)))))


def _strays(scene: Scene) -> Mapping[str, Sequence[tuple[Object, str, str]]]:
    """Requests that reached a workload which knows nothing of them, by the service whose name their path bears."""
    cores = {scene.graph.core(item.name): item.name for item in scene.graph.services}
    stray: dict[str, list[tuple[Object, str, str]]] = {}
    for evidence, log in scene.logs:
        pod = scene.picture.get("Pod", log.namespace, log.pod)
        workload = scene.picture.workload(pod) if pod else None
        if workload is None or not any("No " in line or "Cannot " in line for line in log.lines):
            continue
        own = scene.graph.core(workload.name)
        for line in log.lines:
            if not (match := _UNMAPPED.search(line)):
                continue
            words = re.split(r"[^\w-]+", match["path"].lower())
            named = [cores[core] for word in words[:4] if word and (core := scene.graph.core(word)) in cores]
            if named and scene.graph.core(named[0]) != own and not _GATEWAY.search(workload.name):
                stray.setdefault(named[0], []).append((workload, line, evidence))
    return stray


def _by_log(
    scene: Scene, strays: Mapping[str, Sequence[tuple[Object, str, str]]], by_owner: Mapping[str, Sequence[Route]]
) -> Iterator[Finding]:
    """Where the routes are not to be seen: requests that arrive at the wrong workload, and one gateway."""
    gateways = [item for item in scene.graph.workloads if _GATEWAY.search(item.name) or str(item.subject) in by_owner]
    if len(gateways) != 1:
        return
    gateway = gateways[0]
    for service, seen in strays.items():
        wrong = list(dict.fromkeys(item[0].subject for item in seen))
        if len(wrong) != 1 or wrong[0] == gateway.subject:
            continue
        reasons: list[Because] = [because(f"{item[0].subject}: {quote(item[1])}", item[2]) for item in seen[:3]]
        headline = f"{gateway.subject} leads requests that bear the name of {service} to {wrong[0]}, which knows none"
        yield found(MISROUTE, gateway.subject, LIKELY, headline, reasons, next_steps=_steps(scene, gateway))


def _steps(scene: Scene, source: Object) -> list[str]:
    return [f"kubectl -n {scene.namespace} get {source.subject} -o yaml"]
