"""What a workload is told: its environment, its arguments, the files that config maps give it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from responder.model.kubernetes import Container, Object, mapping, mappings, string, whole
from responder.model.picture import Picture

_HOST = r"(?!\d+(?:\.|:|$))[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"^(?P<host>{_HOST}):(?P<port>\d{{1,5}})$")
_URL = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?:[^\s/@]*@)?"
    rf"(?P<host>{_HOST})(?::(?P<port>\d{{1,5}}))?(?=[/?\s,;\"'|)]|$)"
)
_FLAG = re.compile(rf"(?:^|[=\s])(?P<host>{_HOST}):(?P<port>\d{{2,5}})(?=$|[\s,/])")
_HOST_VARIABLE = re.compile(r"(?:^|[_.-])(?:HOST|HOSTNAME|ADDR|ADDRESS|SERVER|ENDPOINT)S?$", re.IGNORECASE)
NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_REFERENCE = re.compile(r"\$\(([A-Za-z_][\w.-]*)\)")
_HOST_LINE = re.compile(
    rf"^\s*[\w.\[\]-]*(?:host|hostname|addr|address)\s*[:=]\s*[\"']?(?P<host>{_HOST})[\"']?\s*$", re.I
)
_PORT_LINE = re.compile(r"^\s*[\w.\[\]-]*port\s*[:=]\s*[\"']?(?P<port>\d{1,5})[\"']?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """A place that a workload is told to call: where it is written, and what it says."""

    owner: Object
    container: str
    variable: str
    value: str
    host: str
    port: int | None
    scheme: str = ""
    source: Object | None = None


@dataclass(frozen=True)
class File:
    """What is kept of a file that a config map gives to a workload's containers."""

    source: Object
    name: str
    text: str

    @property
    def shown(self) -> str:
        """As `configmap/NAME FILE`."""
        return f"configmap/{self.source.name} {self.name}"


def environment(picture: Picture, workload: Object, container: Container) -> Mapping[str, tuple[str, Object]]:
    """A container's variables by name, with the object that holds the value. Those from secrets are not known."""
    found: dict[str, tuple[str, Object]] = {}
    for origin in mappings(container.spec.get("envFrom")):
        if held := _config_map(picture, workload, mapping(origin.get("configMapRef"))):
            prefix = string(origin.get("prefix"))
            found |= {f"{prefix}{key}": (value, held) for key, value in _data(held).items() if value}
    for item in mappings(container.spec.get("env")):
        name = string(item.get("name"))
        found.pop(name, None)
        if item.get("value") is not None:
            found[name] = (_expanded(str(item["value"]), found), workload)
            continue
        wanted = mapping(mapping(item.get("valueFrom")).get("configMapKeyRef"))
        if (held := _config_map(picture, workload, wanted)) and (value := _data(held).get(str(wanted.get("key")))):
            found[name] = (value, held)
    return found


def files(picture: Picture, workload: Object) -> Iterator[File]:
    """The files of config maps that a workload mounts."""
    for volume in mappings(workload.template.get("volumes")):
        origins = [volume, *mappings(mapping(volume.get("projected")).get("sources"))]
        for origin in origins:
            if held := _config_map(picture, workload, mapping(origin.get("configMap"))):
                for key, text in _data(held).items():
                    if text:
                        yield File(held, key, text)


def addresses(picture: Picture, workload: Object) -> Iterator[Address]:
    """Where a workload is told to call: by its environment, its arguments and its mounted files."""
    for container in workload.template_containers:
        variables = environment(picture, workload, container)
        values = {name: value for name, (value, _) in variables.items()}
        for name, (value, source) in variables.items():
            yield from _in_variable(
                picture, Address(workload, container.name, name, value, "", None, "", source), values
            )
        for field in ("command", "args"):
            words = container.spec.get(field)
            for word in words if isinstance(words, list) else []:
                yield from _in_text(Address(workload, container.name, field, str(word), "", None, "", workload))
    for file in files(picture, workload):
        yield from _in_file(workload, file)


def _config_map(picture: Picture, workload: Object, reference: Mapping[str, object]) -> Object | None:
    name = string(reference.get("name"))
    return picture.get("ConfigMap", workload.namespace, name) if name else None


def _data(held: Object) -> Mapping[str, str]:
    return {str(key): str(value) for key, value in mapping(held.raw.get("data")).items()}


def _expanded(value: str, before: Mapping[str, tuple[str, Object]]) -> str:
    """As the kubelet does it: `$(NAME)` of a variable that stands before."""
    return _REFERENCE.sub(lambda found: before[found[1]][0] if found[1] in before else found[0], value)


def _in_variable(picture: Picture, place: Address, variables: Mapping[str, str]) -> Iterator[Address]:
    value = place.value.strip()
    if found := _ADDRESS.match(value):
        yield _at(place, found["host"], int(found["port"]))
    elif "://" in value:
        yield from _in_text(place)
    elif NAME.fullmatch(value) and not value.isdigit():
        known = picture.get("Service", place.owner.namespace, value)
        if _HOST_VARIABLE.search(place.variable) or (known and value != place.owner.name):
            yield _at(place, value, _port_beside(place.variable, variables))


def _in_text(place: Address) -> Iterator[Address]:
    urls = list(_URL.finditer(place.value))
    for found in urls or _FLAG.finditer(place.value):
        scheme = found["scheme"].lower() if urls else ""
        yield _at(place, found["host"], int(found["port"]) if found["port"] else None, scheme)


def _in_file(workload: Object, file: File) -> Iterator[Address]:
    lines = file.text.splitlines()
    for number, line in enumerate(lines):
        place = Address(workload, "", file.shown, line.strip(), "", None, "", file.source)
        if line.lstrip().startswith(("#", "//", ";")):
            continue
        if "://" in line:
            yield from _in_text(place)
        elif found := _HOST_LINE.match(line):
            near = [match for other in lines[number + 1 : number + 2] if (match := _PORT_LINE.match(other))]
            yield _at(place, found["host"], int(near[0]["port"]) if near else None)


def _at(place: Address, host: str, port: int | None, scheme: str = "") -> Address:
    return Address(place.owner, place.container, place.variable, place.value, host, port, scheme, place.source)


def _port_beside(name: str, variables: Mapping[str, str]) -> int | None:
    """The port in the variable beside the one with the host: `DB_HOST` and `DB_PORT`."""
    stem = _HOST_VARIABLE.sub("", name)
    for separator in ("_", ".", "-", ""):
        for word in ("PORT", "port", "Port"):
            if (port := whole(variables.get(f"{stem}{separator}{word}"))) is not None:
                return port
    return None
