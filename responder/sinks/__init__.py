"""Answers: one module per kind of sink. This is their contract.

A sink shows the incident as it stands now. The outbox (`flow/publish.py`) owns order, retries, breaker and
metrics; it hands the sink the last receipt it returned for this incident, so that the sink edits or
threads where its medium can.
"""

from abc import abstractmethod

import aiohttp
from pydantic import Field

from responder.model.message import Message
from responder.plugins import Plugin


class Sink(Plugin):
    """A place where incidents are shown."""

    name: str = Field(description="what logs, metrics and the page call it")
    send_resolved: bool = True

    @abstractmethod
    async def deliver(self, message: Message, receipt: str, http: aiohttp.ClientSession) -> str:
        """Show the message; `receipt` is what the last delivery for this incident returned, or empty.

        Returns the medium's own id of the message. Raises Temporary (tried again) or Permanent.
        """
