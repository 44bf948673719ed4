"""Routes of gateways: which path leads to which service, in whatever way it is written down.

Spring Cloud Gateway (`spring.cloud.gateway.routes`: id, uri, predicates `Path=`; also as variables, relaxed binding)
and Zuul, nginx (`location` with `proxy_pass`, `upstream`), Ingress, Istio's VirtualService, Gateway API's HTTPRoute.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from responder.model.kubernetes import Object, mapping, mappings, whole
from responder.model.picture import Picture
from responder.model.told import environment, files


@dataclass(frozen=True)
class Route:
    """A path that is led to a host: who does it, where it is written, under which name."""

    owner: Object
    source: Object
    where: str
    path: str
    host: str
    port: int | None = None
    name: str = ""
    balanced: bool = False

    @property
    def shown(self) -> str:
        """In one line."""
        port = f":{self.port}" if self.port else ""
        return f"{self.where}: {self.path} to {self.host}{port}"


_TARGET = r"(?P<scheme>[a-z]+(?::[a-z]+)?)://(?P<host>[A-Za-z0-9][\w.-]*)(?::(?P<port>\d{1,5}))?"
_URI = re.compile(_TARGET)
_TOKEN = re.compile(
    rf"(?<![-\w])(?:id[\"']?\s*[:=]\s*[\"']?(?P<id>[\w.-]+)"
    rf"|(?:ur[il]|service-?id)[\"']?\s*[:=]\s*[\"']?(?:{_TARGET}|(?P<service>[a-z][\w.-]*))"
    r"|Path=(?P<path>/[^\s\"'\]}]*)"
    r"|(?:path|pattern)[\"']?\s*[:=]\s*[\"']?(?P<plain>/[^\s\"'\]},]*))",
    re.IGNORECASE,
)
_PROPERTY = re.compile(
    r"(?:cloud[._-]?gateway[._-](?:\w+[._-])*?|zuul[._-])?routes(?:\[|[._-])(?P<key>[\w-]+?)\]?[._-]"
    r"(?P<what>id|uri|url|path|service-?id|predicates(?:\[|[._-])\d+\]?(?:[._-]args[\w.\[\]-]*)?)\s*=\s*(?P<value>.+)",
    re.IGNORECASE,
)
_LOCATION = re.compile(r"location\s+(?:[=~^*]+\s+)?(?P<path>\S+)\s*\{(?P<body>[^{}]*)", re.DOTALL)
_PROXIED = re.compile(rf"(?:proxy|grpc|uwsgi|fastcgi)_pass\s+(?:{_TARGET}|(?P<plain>[\w.-]+(?::\d+)?))")
_UPSTREAM = re.compile(
    r"upstream\s+(?P<name>[\w.-]+)\s*\{[^{}]*?server\s+(?P<host>[\w.-]+)(?::(?P<port>\d+))?", re.DOTALL
)


def routes_of(picture: Picture, workload: Object) -> Iterator[Route]:
    """The routes that a workload is told by its variables, arguments and config maps."""
    for container in workload.template_containers:
        variables = environment(picture, workload, container)
        words = [word for field in ("command", "args") for word in container.spec.get(field) or [] if word]
        text = "\n".join([*(f"{name}={value}" for name, (value, _) in variables.items()), *map(str, words)])
        yield from _in_properties(Route(workload, workload, f"container {container.name}", "", ""), text)
        for name, (value, source) in variables.items():
            if value.lstrip().startswith("{"):
                yield from _in_tree(Route(workload, source, name, "", ""), value)
    for file in files(picture, workload):
        place = Route(workload, file.source, file.shown, "", "")
        if "proxy_pass" in file.text or "grpc_pass" in file.text:
            yield from _in_nginx(place, file.text)
        elif found := list(_in_properties(place, file.text)):
            yield from found
        elif "routes" in file.text:
            yield from _in_tree(place, file.text[file.text.index("routes") :])


def declared_routes(picture: Picture, namespace: str) -> Iterator[Route]:
    """The routes that objects of the API declare."""
    for item in picture.all("Ingress", namespace):
        for rule in mappings(item.spec.get("rules")):
            for path in mappings(mapping(rule.get("http")).get("paths")):
                service = mapping(mapping(path.get("backend")).get("service"))
                place = Route(item, item, f"ingress/{item.name}", str(path.get("path") or "/"), "")
                yield replace(place, host=str(service.get("name") or ""), port=_number(service.get("port")))
    for item in picture.all("VirtualService", namespace):
        for rule in mappings(item.spec.get("http")):
            paths = [
                str(value) for match in mappings(rule.get("match")) for value in mapping(match.get("uri")).values()
            ]
            for target in mappings(rule.get("route")):
                about = mapping(target.get("destination"))
                place = Route(item, item, f"virtualservice/{item.name}", "", str(about.get("host") or ""))
                yield from (replace(place, path=path, port=_number(about.get("port"))) for path in paths)
    for item in picture.all("HTTPRoute", namespace):
        for rule in mappings(item.spec.get("rules")):
            paths = [str(mapping(match.get("path")).get("value") or "/") for match in mappings(rule.get("matches"))]
            for target in mappings(rule.get("backendRefs")):
                place = Route(item, item, f"httproute/{item.name}", "", str(target.get("name") or ""))
                yield from (replace(place, path=path, port=whole(target.get("port"))) for path in paths)


def _number(port: object) -> int | None:
    return whole(mapping(port).get("number"))


def _in_properties(place: Route, text: str) -> Iterator[Route]:
    """`…routes[3].uri=…` or `…_ROUTES_3_URI=…`, one a line."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if match := _PROPERTY.search(line):
            what = re.split(r"[\[._-]", match["what"].lower())[0]
            kept = found.setdefault(match["key"].lower(), {})
            kept[what] = f"{kept[what]} {match['value']}" if what in kept else match["value"].strip()
    for key, said in found.items():
        target = said.get("uri") or said.get("url") or said.get("service") or said.get("serviceid") or ""
        match = _URI.search(target)
        host, port = (match["host"], whole(match["port"])) if match else (target, None)
        path = re.search(r"/[^\s\"']*", said.get("predicates") or said.get("path") or "")
        if host and path:
            name = said.get("id") or ("" if key.isdigit() else key)
            balanced = not match or match["scheme"].startswith("lb")
            yield replace(place, path=path[0], host=host, port=port, name=name, balanced=balanced)


def _in_tree(place: Route, text: str) -> Iterator[Route]:
    """YAML or JSON: id, uri and path of a route stand together."""
    said: dict[str, str] = {}
    for token in _TOKEN.finditer(text):
        told = {name: value for name, value in token.groupdict().items() if value}
        if "plain" in told:
            told["path"] = told.pop("plain")
        if "service" in told:
            told |= {"host": told.pop("service"), "scheme": "lb"}
        if said.keys() & told.keys() - {"path"}:
            yield from _whole(place, said)
            said = {}
        said = {**told, **said} if "path" in told and "path" in said else {**said, **told}
    yield from _whole(place, said)


def _whole(place: Route, said: Mapping[str, str]) -> Iterator[Route]:
    if "host" in said and "path" in said:
        balanced = said.get("scheme", "").startswith("lb")
        port = whole(said.get("port"))
        yield replace(
            place, path=said["path"], host=said["host"], port=port, name=said.get("id", ""), balanced=balanced
        )


def _in_nginx(place: Route, text: str) -> Iterator[Route]:
    upstreams = {match["name"]: (match["host"], whole(match["port"])) for match in _UPSTREAM.finditer(text)}
    for location in _LOCATION.finditer(text):
        if target := _PROXIED.search(location["body"]):
            plain = (target["plain"] or "").partition(":")
            host, port = (target["host"], whole(target["port"])) if target["host"] else (plain[0], whole(plain[2]))
            host, port = upstreams.get(host, (host, port))
            yield replace(place, path=location["path"], host=host, port=port)
