"""CloudEvents 1.0 over HTTP: an incident's report as the data of an event (cloudevents.io, HTTP protocol binding)."""

import json
from collections.abc import Mapping
from typing import Literal

from responder.model.links import web_address
from responder.model.message import Message

Mode = Literal["binary", "structured"]
STRUCTURED = "application/cloudevents+json"


def attributes(message: Message, number: str) -> Mapping[str, str]:
    """The context of the event: `source` and `id` together are what a receiver knows duplicates by."""
    return {
        "specversion": "1.0",
        "id": number,
        "source": web_address(message.url) or "responder",
        "type": f"responder.incident.{message.stage}",
        "subject": message.key,
        "time": message.updated_at.isoformat(),
    }


def encoded(message: Message, number: str, data: str, mode: Mode) -> tuple[Mapping[str, str], str]:
    """Headers and body. `data` is JSON: the body itself (binary), or in the event's envelope (structured)."""
    context = attributes(message, number)
    if mode == "structured":
        envelope = json.dumps({**context, "datacontenttype": "application/json"}, ensure_ascii=False)
        return {"Content-Type": STRUCTURED}, f'{envelope[:-1]}, "data": {data}}}'
    headers = {f"ce-{name}": header_value(value) for name, value in context.items()}
    return {"Content-Type": "application/json", **headers}, data


def header_value(text: str) -> str:
    """As the binding writes it: percent-encoded where it is not printable ASCII, a space, a quote or a percent sign."""
    plain = set(range(0x21, 0x7F)) - {ord('"'), ord("%")}
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))
