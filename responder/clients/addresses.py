"""Where nobody may ask: addresses that hand out a cloud's credentials, by whatever name."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

from responder.errors import Permanent, Reason

METADATA = frozenset(
    {
        "169.254.169.254",  # AWS, Azure, Google Cloud and most others
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle Cloud
        "168.63.129.16",  # Azure's wire server
    }
)


def refuse(text: str, host: str) -> None:
    """Raise Permanent if the text is such an address; `host` is what was asked for."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    if address.is_link_local or str(address) in METADATA:
        raise Permanent(f"{host} is an address that hands out credentials of the cloud: not asked", Reason.FORBIDDEN)


async def resolved(host: str, port: int | None) -> Sequence[str]:
    """The addresses that a name means here, in the system's order; raises OSError, or Permanent for refused ones."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    for address in addresses:
        refuse(address, host)
    return addresses
