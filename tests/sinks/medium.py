"""What a sink is given while it delivers, in tests."""

from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from responder.clients import Clients
from responder.model.message import Message, Picture
from responder.sinks import Medium
from tests.fakes.clients import FailingHttp
from tests.makers import NOW

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 20


@dataclass
class Keeper:
    """Remembers what a sink keeps."""

    receipts: list[str] = field(default_factory=list)

    async def keep(self, receipt: str) -> None:
        self.receipts.append(receipt)


async def drawn(_picture: Picture) -> bytes:
    """A picture of the right kind."""
    return PNG


def medium(
    http: aiohttp.ClientSession,
    *,
    doubtful: bool = False,
    keeper: Keeper | None = None,
    cluster: Callable[[Message], Clients] | None = None,
) -> Medium:
    """A medium whose pictures are always the same; without a cluster there is none."""
    return Medium(
        http=http,
        now=NOW,
        doubtful=doubtful,
        keep=(keeper or Keeper()).keep,
        draw=drawn,
        cluster=cluster or (lambda _message: Clients("", FailingHttp(None))),
    )
