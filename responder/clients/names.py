"""DNS, with the system's servers and search domains, or those of one server (RFC 1035, RFC 2308)."""

import asyncio
import ipaddress

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.reversename

from responder.clients import addresses
from responder.errors import Permanent, Reason
from responder.model.network import DnsAnswer, DnsStatus

PORT = 53
MOST_RECORDS = 32
_CODES = {dns.rcode.SERVFAIL: DnsStatus.SERVFAIL, dns.rcode.REFUSED: DnsStatus.REFUSED}


async def resolve(name: str, kind: str, server: str, timeout: float) -> DnsAnswer:
    """One question; an answer that is cut is asked for again over TCP. Raises Permanent for what is no question."""
    resolver = await asyncio.to_thread(_resolver, server)
    wanted, rdtype = _question(name, kind)
    shown = server or ", ".join(str(item) for item in resolver.nameservers)

    def answer(status: DnsStatus, asked: str = "", message: str = "", **more: object) -> DnsAnswer:
        return DnsAnswer.model_validate(
            {
                "name": name,
                "type": kind.upper(),
                "server": shown,
                "status": status,
                "seconds": 0.0,
                "asked": asked,
                "message": message[:256],
                **more,
            }
        )

    try:
        found = await resolver.resolve(wanted, rdtype, search=not server, lifetime=timeout)
    except dns.resolver.NXDOMAIN as error:
        asked = ", ".join(str(item).rstrip(".") for item in error.kwargs.get("qnames", ()))
        return answer(DnsStatus.NXDOMAIN, asked)
    except dns.resolver.NoAnswer:
        return answer(DnsStatus.NO_ANSWER, str(wanted))
    except dns.resolver.NoNameservers as error:
        return answer(_code(error), str(wanted), str(error))
    except dns.exception.Timeout:
        return answer(DnsStatus.TIMED_OUT, str(wanted), f"no answer within {timeout:g} s")
    except (dns.exception.DNSException, OSError) as error:
        return answer(DnsStatus.SERVFAIL, str(wanted), str(error) or type(error).__name__)
    records = tuple(sorted(record.to_text()[:512] for record in found))
    return answer(
        DnsStatus.OK,
        str(found.canonical_name).rstrip("."),
        records=records[:MOST_RECORDS],
        ttl=found.rrset.ttl if found.rrset is not None else None,
    )


def _resolver(server: str) -> dns.asyncresolver.Resolver:
    try:
        resolver = dns.asyncresolver.Resolver(configure=not server)
    except dns.resolver.NoResolverConfiguration as error:
        raise Permanent(f"the system names no DNS server: {error}", Reason.NOT_CONFIGURED) from None
    if server:
        host, port = _address(server)
        resolver.nameservers, resolver.port = [host], port
    return resolver


def _address(server: str) -> tuple[str, int]:
    """Address and port. A server of names may be link-local, as node-local caches are; on any other port not."""
    host, _, port = server.rpartition(":") if server.count(":") == 1 or "]" in server else (server, "", "")
    if server.endswith("]"):
        host, port = server, ""
    host = host.strip("[]")
    try:
        ipaddress.ip_address(host)
        number = int(port or PORT)
    except ValueError:
        raise Permanent(
            f"{server[:80]!r} is no address of a DNS server: write 10.96.0.10", Reason.BAD_REQUEST
        ) from None
    if number != PORT:
        addresses.refuse(host, server)
    return host, number


def _question(name: str, kind: str) -> tuple[dns.name.Name, dns.rdatatype.RdataType]:
    try:
        rdtype = dns.rdatatype.from_text(kind)
        if rdtype == dns.rdatatype.PTR and _is_address(name):
            return dns.reversename.from_address(name), rdtype
        return dns.name.from_text(name, None), rdtype
    except (dns.exception.DNSException, ValueError) as error:
        raise Permanent(f"{name[:80]!r} {kind[:20]} is no question for DNS: {error}", Reason.BAD_REQUEST) from None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _code(error: dns.resolver.NoNameservers) -> DnsStatus:
    """What the servers answered, where none was of use."""
    for *_, response in error.kwargs.get("errors", ()):
        if response is not None and response.rcode() in _CODES:
            return _CODES[response.rcode()]
    return DnsStatus.SERVFAIL
