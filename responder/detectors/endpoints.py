"""Endpoints, as they answer who asks from where Responder runs: connections, names, certificates, HTTP, WebSockets.

That something does not answer Responder need not mean that it answers nobody: the findings say who asked.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from responder.detectors import Case
from responder.detectors._endpoint_causes import (
    BAD_NAME_SERVER,
    CAUSES,
    CHAIN,
    DEFAULT_CERTIFICATE,
    DENIED,
    EARLY,
    EXPIRED,
    EXPIRES,
    HANDSHAKE,
    MUTE,
    NO_ROUTE,
    NO_SUCH_NAME,
    NOT_UPGRADED,
    OTHER_NAME,
    REFUSED,
    RESET,
    SERVER_ERROR,
    SILENT,
    SILENT_NAME_SERVER,
    SLOW,
    UNEXPECTED,
    UNTRUSTED,
    WRONG_RECORDS,
)
from responder.detectors._resolution import broken_resolution, subject_of
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.certificates import Handshake
from responder.model.evidence import HttpAnswer
from responder.model.failures import FailureKind
from responder.model.finding import Cause, Cleared, Confidence, Finding
from responder.model.network import DnsAnswer, DnsStatus, TcpAnswer, TlsAnswer, WebSocketAnswer
from responder.model.numbers import plain, seconds

__all__ = ["CAUSES", "detect"]

_FROM_HERE = "Asked from where Responder runs; others may have another way to it."
_DEFAULTS = ("Kubernetes Ingress Controller Fake Certificate", "TRAEFIK DEFAULT CERT")
_CONNECTION: dict[FailureKind, tuple[Cause, Confidence, str]] = {
    FailureKind.REFUSED: (REFUSED, LIKELY, "refuses connections: the host answers, nothing listens on the port"),
    FailureKind.TIMED_OUT: (SILENT, POSSIBLE, "does not answer at all: it is down, or something drops the packets"),
    FailureKind.NO_SUCH_HOST: (NO_SUCH_NAME, LIKELY, "has a name that does not resolve"),
    FailureKind.UNREACHABLE: (NO_ROUTE, LIKELY, "cannot be reached: there is no route to it"),
    FailureKind.RESET: (RESET, POSSIBLE, "closes the connection before it answers"),
    FailureKind.TLS: (HANDSHAKE, LIKELY, "does not complete a TLS handshake"),
}
_NAMES: dict[DnsStatus, tuple[Cause, Confidence, str]] = {
    DnsStatus.NXDOMAIN: (NO_SUCH_NAME, CERTAIN, "does not exist"),
    DnsStatus.NO_ANSWER: (NO_SUCH_NAME, LIKELY, "has no records of type"),
    DnsStatus.SERVFAIL: (BAD_NAME_SERVER, LIKELY, "cannot be resolved: the name server fails"),
    DnsStatus.REFUSED: (BAD_NAME_SERVER, LIKELY, "cannot be resolved: the name server refuses the question"),
    DnsStatus.TIMED_OUT: (SILENT_NAME_SERVER, LIKELY, "cannot be resolved: the name server does not answer"),
}


def detect(case: Case) -> Iterator[Finding | Cleared]:
    say = partial(_say, case.scene)
    well: dict[str, str] = {}
    yield from (broken := list(broken_resolution(case)))
    if broken:
        # where nothing resolves, nobody can tell of one name that it does not exist
        say = partial(_doubting, say)
    for name, tcp in case.read(TcpAnswer):
        if tcp.connected and tcp.error is None:
            well[name] = f"{tcp.address} accepts connections in {seconds(tcp.seconds)}"
        else:
            yield from _connection(say, name, tcp.address, tcp.error, tcp.message, accepted=tcp.connected)
    for name, answer in case.read(DnsAnswer):
        yield from _name(say, name, answer, bool(case.evidence[name].breached), well)
    for name, tls in case.read(TlsAnswer):
        if tls.handshake is None:
            yield from _connection(say, name, tls.address, tls.error, tls.message, accepted=tls.accepted)
        elif tls.problems:
            yield from _certificate(say, name, tls.address, tls.handshake, tls.at, tls.min_days)
        else:
            well[name] = f"the certificate of {tls.address} is valid for {seconds(_left(tls.handshake, tls.at))}"
    for name, http in case.read(HttpAnswer):
        yield from _http(say, name, http, case.evidence[name].at, well)
    for name, socket in case.read(WebSocketAnswer):
        yield from _websocket(say, name, socket, well)
    if well:
        text = f"endpoints ({plural(len(well), 'answer')} as expected: {listed(well.values(), 3)})"
        yield Cleared(text=text, evidence=tuple(well))


def _doubting(say: "partial[Finding]", cause: Cause, *about: Any, **more: Any) -> Finding:
    """A finding about a name, as one that is only possible."""
    finding = say(cause, *about, **more)
    return finding.model_copy(update={"confidence": POSSIBLE}) if cause is NO_SUCH_NAME else finding


def _say(
    scene: Scene,
    cause: Cause,
    evidence: str,
    address: str,
    confidence: Confidence,
    headline: str,
    *reasons: str,
    next_steps: tuple[str, ...] = (),
) -> Finding:
    return found(
        cause,
        subject_of(scene, address),
        confidence,
        headline,
        [because(quote(text), evidence) for text in (reasons or (headline,))],
        next_steps=next_steps,
        explanation=_FROM_HERE,
    )


def _connection(
    say: "partial[Finding]",
    evidence: str,
    address: str,
    error: FailureKind | None,
    message: str,
    *,
    accepted: bool = False,
) -> Iterator[Finding]:
    if accepted and error is FailureKind.TIMED_OUT:
        yield say(MUTE, evidence, address, LIKELY, f"{address} accepts connections and then does not answer")
    elif error in _CONNECTION:
        cause, confidence, text = _CONNECTION[error]
        said = f": {message}" if message and error is FailureKind.TLS else ""
        yield say(cause, evidence, address, confidence, f"{address} {text}{said}")


def _name(
    say: "partial[Finding]", evidence: str, answer: DnsAnswer, breached: bool, well: dict[str, str]
) -> Iterator[Finding]:
    reason = f"{answer.type} {answer.asked or answer.name}: {answer.status} from {answer.server}"
    if answer.status in _NAMES:
        cause, confidence, text = _NAMES[answer.status]
        kind = f" {answer.type}" if answer.status is DnsStatus.NO_ANSWER else ""
        whose = f" ({answer.server})" if cause is not NO_SUCH_NAME else ""
        yield say(cause, evidence, answer.name, confidence, f"the name {answer.name} {text}{kind}{whose}", reason)
    elif breached:
        have = ", ".join(answer.records[:4])
        headline = f"the name {answer.name} means {have}, which is not what was expected"
        yield say(WRONG_RECORDS, evidence, answer.name, LIKELY, headline)
    else:
        well[evidence] = f"{answer.name} resolves in {seconds(answer.seconds)}"


def _certificate(
    say: "partial[Finding]", evidence: str, address: str, shown: Handshake, at: datetime, min_days: float
) -> Iterator[Finding]:
    """The one finding that explains best why clients refuse a certificate, and one about its time."""
    leaf = shown.leaf
    if leaf is None:
        return
    whose = f"the certificate of {address}"
    told = (f"subject {leaf.subject}, issued by {leaf.issuer}, valid until {leaf.not_after:%Y-%m-%d %H:%M} UTC",)
    days = _left(shown, at) / 86400
    if any(name in leaf.subject for name in _DEFAULTS):
        headline = f"{address} shows the ingress controller's own default certificate, not one for {shown.server_name}"
        yield say(DEFAULT_CERTIFICATE, evidence, address, LIKELY, headline, *told)
        return
    if days < 0:
        late = min(shown.chain, key=lambda item: item.not_after)
        part = "" if late is leaf else f": that of its issuer {late.subject}"
        headline = f"{whose} expired {plain(round(-days, 1))} days ago{part}"
        yield say(EXPIRED, evidence, address, CERTAIN, headline, *told)
    elif shown.early(at):
        begins = max(item.not_before for item in shown.chain)
        headline = f"{whose} is not valid before {begins:%Y-%m-%d %H:%M} UTC"
        yield say(EARLY, evidence, address, CERTAIN, headline, *told)
    elif days < min_days:
        headline = f"{whose} expires in {plain(round(days, 1))} days (wanted are {plain(min_days)})"
        yield say(EXPIRES, evidence, address, CERTAIN, headline, *told)
    if not shown.name_matches:
        names = listed(leaf.names) or leaf.subject
        headline = f"{whose} is for {names}, not for {shown.server_name}"
        yield say(OTHER_NAME, evidence, address, CERTAIN, headline, *told)
    if shown.untrusted(at):
        yield _untrusted(say, evidence, address, shown, told)


def _untrusted(
    say: "partial[Finding]", evidence: str, address: str, shown: Handshake, told: tuple[str, ...]
) -> Finding:
    last = shown.chain[-1]
    reasons = (f"OpenSSL: {shown.verdict}", *told)
    if not shown.linked:
        headline = f"the certificates that {address} sends do not follow one another"
        return say(CHAIN, evidence, address, LIKELY, headline, *reasons)
    if shown.incomplete:
        headline = (
            f"the certificate of {address} cannot be traced to an authority: {last.issuer} is neither sent nor known"
        )
        # a private authority that nobody told us of looks the same
        return say(CHAIN, evidence, address, POSSIBLE, headline, *reasons)
    headline = f"the certificate of {address} is not trusted: {shown.verdict}"
    return say(UNTRUSTED, evidence, address, LIKELY, headline, *reasons)


def _http(
    say: "partial[Finding]", evidence: str, answer: HttpAnswer, at: datetime, well: dict[str, str]
) -> Iterator[Finding]:
    said = f"status {answer.status} in {seconds(answer.seconds)}"
    body = (f"it says: {answer.body}",) if answer.unexpected and answer.body.strip() else ()
    tls = answer.handshake.problems(at, answer.min_days) if answer.handshake else ()
    if answer.handshake and tls:
        yield from _certificate(say, evidence, answer.url, answer.handshake, at, answer.min_days)
    if answer.unexpected and answer.status >= 500:
        headline = f"{answer.url} answers {answer.status}"
        yield say(SERVER_ERROR, evidence, answer.url, LIKELY, headline, said, *body)
    elif answer.unexpected:
        headline = f"{answer.url} does not answer as it should: {listed(answer.unexpected, 2)}"
        yield say(UNEXPECTED, evidence, answer.url, LIKELY, headline, said, *body)
    if answer.slow and answer.max_seconds is not None:
        headline = f"{answer.url} takes {seconds(answer.seconds)}, wanted are {seconds(answer.max_seconds)}"
        yield say(SLOW, evidence, answer.url, LIKELY, headline)
    if not (answer.unexpected or answer.slow or tls):
        well[evidence] = f"{answer.url} {said}"


def _websocket(
    say: "partial[Finding]", evidence: str, answer: WebSocketAnswer, well: dict[str, str]
) -> Iterator[Finding]:
    url, status = answer.url, answer.status
    via = next((value for name, value in answer.headers.items() if name.lower() == "server"), "")
    told = (answer.message, *((f"it was {via} that answered",) if via else ()))
    if answer.connected:
        well[evidence] = f"{url} opens a WebSocket in {seconds(answer.seconds)}"
    elif not status:
        yield from _connection(say, evidence, url, answer.error, answer.message, accepted=answer.accepted)
    elif status >= 500:
        yield say(SERVER_ERROR, evidence, url, LIKELY, f"{url} answers {status} to a WebSocket handshake", *told)
    elif status in (401, 403):
        yield say(DENIED, evidence, url, LIKELY, f"{url} refuses the WebSocket: it answers {status}", *told)
    elif status in (101, 200, 400, 426):
        headline = f"{url} does not become a WebSocket: {answer.message}"
        confidence = LIKELY if status in (101, 426) else POSSIBLE
        yield say(NOT_UPGRADED, evidence, url, confidence, headline, *told)
    else:
        yield say(UNEXPECTED, evidence, url, LIKELY, f"{url} answers {status} to a WebSocket handshake", *told)


def _left(shown: Handshake, at: datetime) -> float:
    return shown.left(at) / timedelta(seconds=1)
