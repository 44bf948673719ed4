"""Whether names resolve at all from where Responder runs, and what the addresses that it asked mean."""

from collections.abc import Iterator, Mapping

from responder.detectors import Case
from responder.detectors._endpoint_causes import BAD_NAME_SERVER
from responder.detectors._scene import Scene
from responder.detectors._writing import LIKELY, because, found, listed
from responder.model.evidence import HttpAnswer
from responder.model.failures import FailureKind
from responder.model.finding import Finding
from responder.model.network import DnsAnswer, DnsStatus, TcpAnswer, TlsAnswer, WebSocketAnswer
from responder.model.subject import Subject

SEVERAL = 2
"""So many names that fail where none resolves are not the fault of the names."""


def broken_resolution(case: Case) -> Iterator[Finding]:
    """A finding where several names were asked for and none resolves."""
    failed, resolved = _asked(case)
    if resolved or len(failed) < SEVERAL:
        return
    yield found(
        BAD_NAME_SERVER,
        Subject(kind="Endpoint", name="DNS"),
        LIKELY,
        f"no name resolves from where Responder runs ({listed(failed, 3)}): the DNS that it asks is broken, or knows "
        "none of these zones",
        [because(f"{host}: {words}", name) for host, (name, words) in list(failed.items())[:4]],
        suffering=[subject_of(case.scene, host) for host in failed],
    )


def _asked(case: Case) -> tuple[Mapping[str, tuple[str, str]], bool]:
    """The names that do not resolve, with evidence and words, and whether any name does."""
    failed: dict[str, tuple[str, str]] = {}
    resolved = any(case.read(HttpAnswer))
    for name, answer in case.read(DnsAnswer):
        if answer.status is DnsStatus.OK:
            resolved = True
        else:
            failed[answer.name] = name, f"{answer.status} from {answer.server}"
    for name, address, error, message in _reached(case):
        if error is FailureKind.NO_SUCH_HOST:
            failed.setdefault(host_of(address), (name, message or str(error)))
        elif not _is_address(host_of(address)):
            resolved = True
    return failed, resolved


def _reached(case: Case) -> Iterator[tuple[str, str, FailureKind | None, str]]:
    for name, tcp in case.read(TcpAnswer):
        yield name, tcp.address, tcp.error, tcp.message
    for name, tls in case.read(TlsAnswer):
        yield name, tls.address, tls.error, tls.message
    for name, socket in case.read(WebSocketAnswer):
        yield name, socket.url, socket.error, socket.message


def subject_of(scene: Scene, address: str) -> Subject:
    """The service that an address means, else the endpoint as it is written."""
    host, name = _written(address), host_of(address)
    service = scene.graph.service(name) if "[" not in name else None
    return service.subject if service else Subject(kind="Endpoint", name=host)


def host_of(address: str) -> str:
    """The host of a URL or of `host:port`."""
    host = _written(address)
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _written(address: str) -> str:
    host = address.partition("://")[2] or address
    return host.partition("/")[0].rpartition("@")[2]


def _is_address(host: str) -> bool:
    return host.startswith("[") or host.replace(".", "").isdigit()
