"""A small name server over UDP and TCP, that answers in the real wire format what a test tells it to."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.servers import free_port


@dataclass
class NameServer:
    """`zone` has the records by name and type, or a word: SERVFAIL, REFUSED, silence. Others do not exist.

    Answers larger than 512 bytes are cut over UDP, so that they are asked for over TCP.
    """

    zone: Mapping[str, Mapping[str, list[str]] | str]
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, wire: bytes, transport: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text().rstrip(".").lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((f"{name} {kind}", transport))
        said = self.zone.get(name)
        if said == "silence":
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        if isinstance(said, str):
            response.set_rcode(dns.rcode.from_text(said))
        elif said is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in said:
            response.answer.append(dns.rrset.from_text(question.name, 30, "IN", kind, *said[kind]))
        answer = response.to_wire()
        if transport == "udp" and len(answer) > 512:
            response.answer.clear()
            response.flags |= dns.flags.TC
            answer = response.to_wire()
        return answer


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (answer := self._server.answer(data, "udp")) is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def serving(server: NameServer) -> AsyncIterator[NameServer]:
    """The server on a free port of loopback."""

    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        if (answer := server.answer(await reader.readexactly(size), "tcp")) is not None:
            writer.write(struct.pack("!H", len(answer)) + answer)
            await writer.drain()
        writer.close()

    server.port = free_port()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(server), local_addr=("127.0.0.1", server.port))
    tcp = await asyncio.start_server(over_tcp, "127.0.0.1", server.port)
    try:
        yield server
    finally:
        transport.close()
        tcp.close()
        await tcp.wait_closed()
