"""Mail: one conversation an incident, with the finding, its charts and buttons."""

import re
from collections.abc import Mapping
from datetime import timedelta
from email.headerregistry import Address
from email.utils import getaddresses, parseaddr
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator

from responder.errors import Permanent, Temporary, Trouble
from responder.model.message import Message
from responder.model.record import Record
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._email_message import Drawn, mail, message_id, page, subject, text
from responder.sinks._email_transport import PORTS, Security, Server, hand_in
from responder.sinks._text import clean, first_line

log = structlog.get_logger(__name__)

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


def _address(value: str) -> str:
    found = getaddresses([value])
    if not value.isprintable() or len(found) != 1 or not _ADDRESS.fullmatch(found[0][1]):
        raise ValueError("must be a@example.org or Name <a@example.org>; domains of other scripts as xn--…")
    return value


MailAddress = Annotated[str, AfterValidator(_address)]


class _Receipt(Record):
    """The last mail: its id, what it said, its subject, and who has not got it yet."""

    id: str = ""
    before: str = ""
    digest: str = ""
    subject: str = ""
    left: tuple[str, ...] = ()


class Email(Sink):
    """Sends a mail for each finding and end, one conversation an incident, as HTML with charts and as text.

    Buttons are links to pages that ask before they act. The subject has severity, state and the verdict; mail programs
    keep the conversation together by `References`. Severity, status and incident are in the headers
    `X-Responder-Severity`, `-Status` and `-Incident` too, for filters.
    """

    gathers = True
    edits = False

    host: str = Field(min_length=1, description="the SMTP server")
    port: int | None = Field(None, ge=1, le=65535, description="587 for starttls, 465 for tls, 25 for none")
    security: Security = Field("starttls", description="how the connection is encrypted; there is no falling back")
    ca_file: Path | None = Field(None, description="certificates to trust in place of the system's")
    username: str = Field("", description="to log in with; only over TLS")
    password: SecretStr | None = Field(None, description="its password")
    password_file: Path | None = Field(None, description="a file that holds it")
    hello: str = Field("", pattern=r"^[A-Za-z0-9.\[\]:-]*$", description="how we greet; else the name of the host")
    sender: MailAddress = Field(description="who it is from; bounces go there")
    to: tuple[MailAddress, ...] = Field(min_length=1, max_length=100, description="who gets it")
    reply_to: MailAddress | None = Field(None, description="where answers go, if not to the sender")
    subject_prefix: str = Field("", max_length=60, description="put before each subject")
    list_id: str = Field("", pattern=r"^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)?$", description="else `responder.DOMAIN`")
    pictures: bool = Field(True, description="whether charts are in the mail")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that handing in a mail may take")

    @model_validator(mode="after")
    def _login(self) -> "Email":
        if self.username and self.security == "none":
            raise ValueError("a password is sent over TLS only: set security to starttls or tls")
        if self.username and not (self.password or self.password_file):
            raise ValueError("username needs password or password_file")
        if not self.subject_prefix.isprintable():
            raise ValueError("subject_prefix must be one line of printable characters")
        return self

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Send this state once to everybody; those that were put off are tried again with the same mail."""
        last = _read(receipt)
        if last.digest == message.digest:
            if not last.left:
                return receipt
            return await self._send(message, last, medium)
        now = _Receipt(
            id=message_id(message, last.id, self._from.domain),
            before=last.id,
            digest=message.digest,
            subject=subject(message, self.subject_prefix),
            left=self.to,
        )
        return await self._send(message, now, medium)

    def preview(self, message: Message) -> Preview:
        """The HTML, and headers with the text."""
        titles = tuple(clean(picture.title) for picture in message.pictures) if self.pictures else ()
        blocks = [
            Block(kind="heading", text=subject(message, self.subject_prefix)),
            Block(kind="context", text=first_line(message)),
            Block(kind="html", text=page(message)),
            *(Block(kind="picture", text=title) for title in titles),
        ]
        number = message_id(message, "", self._from.domain)
        title = subject(message, self.subject_prefix)
        made = mail(message, number, sender=self._from, to=self._to, title=title, now=message.updated_at)
        headers = "\n".join(f"{name}: {value}" for name, value in made.items() if not name.startswith("Content-"))
        return Preview(blocks=tuple(blocks), payload=f"{headers}\n\n{text(message)}")

    async def _send(self, message: Message, state: _Receipt, medium: Medium) -> str:
        made = mail(
            message,
            state.id,
            before=state.before,
            sender=self._from,
            to=self._to,
            title=state.subject,
            reply_to=_parsed(self.reply_to) if self.reply_to else None,
            list_id=self.list_id,
            pictures=await self._drawn(message, medium),
            now=medium.now,
        )
        by_address = {_parsed(one).addr_spec: one for one in state.left}
        server = await self._server()
        refused = await hand_in(server, self._from.addr_spec, list(by_address), bytes(made))
        again = tuple(by_address[address] for address, why in refused.items() if isinstance(why, Temporary))
        done = state.model_copy(update={"left": again}).model_dump_json()
        if refused:
            await medium.keep(done)
            raise _partly(refused, len(by_address))
        return done

    async def _drawn(self, message: Message, medium: Medium) -> list[Drawn]:
        wanted = message.pictures if self.pictures else ()
        return [Drawn(picture.title, await medium.draw(picture)) for picture in wanted]

    async def _server(self) -> Server:
        return Server(
            host=self.host,
            port=self.port or PORTS[self.security],
            security=self.security,
            username=self.username,
            password=await credentials.reveal(self.password, self.password_file) if self.username else "",
            hello=self.hello,
            ca_file=self.ca_file,
            timeout=self.timeout.total_seconds(),
        )

    @property
    def _from(self) -> Address:
        return _parsed(self.sender)

    @property
    def _to(self) -> list[Address]:
        return [_parsed(one) for one in self.to]


def _partly(refused: Mapping[str, Trouble], count: int) -> Trouble:
    """What is wrong with those that did not get it; worth another try, if that is so for one of them."""
    address, why = min(refused.items(), key=lambda item: not isinstance(item[1], Temporary))
    said = f"{count - len(refused)} of {count} recipients got it; {address}: {why}"
    if isinstance(why, Temporary):
        return Temporary(said, why.reason, why.after)
    return Permanent(said, why.reason)


def _read(receipt: str) -> _Receipt:
    try:
        return _Receipt.model_validate_json(receipt) if receipt else _Receipt()
    except ValidationError:
        return _Receipt()


def _parsed(value: str) -> Address:
    name, address = parseaddr(value)
    return Address(display_name=name, addr_spec=address)
