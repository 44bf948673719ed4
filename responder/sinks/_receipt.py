"""Receipts of sinks that take several steps: JSON of what is shown so far, kept after each of them."""

from typing import TypeVar

from pydantic import ValidationError

from responder.model.record import Record
from responder.sinks import Medium

R = TypeVar("R", bound=Record)


def read(kind: type[R], receipt: str) -> R | None:
    """What the receipt says; None where there is none, or one that an older version wrote otherwise."""
    try:
        return kind.model_validate_json(receipt) if receipt else None
    except ValidationError:
        return None


async def kept(shown: R, medium: Medium, **news: object) -> R:
    """The receipt with news, remembered if there are any."""
    changed = shown.model_copy(update=news)
    if changed != shown:
        await medium.keep(changed.model_dump_json())
    return changed
