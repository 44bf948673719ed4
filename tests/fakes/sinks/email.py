"""A mail server: STARTTLS and a login are required; each mail is checked as the RFCs and a careful mailbox would."""

import asyncio
import re
import shutil
import ssl
import tempfile
import time
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self, cast

import trustme
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from responder.sinks import Sink
from responder.sinks.email import Email
from tests import fakes

PATIENCE = "1s"
"""Longer than for others: TLS and a login take their time, and it is still less than a fake hangs."""
USERNAME, PASSWORD = "responder", "pa55-of-the-mail"
LONGEST_LINE = 998
LARGEST = 1_400_000
NEEDED = ("Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "References", "In-Reply-To", "List-Id")


class Fake(fakes.sinks.Fake):
    """A mailbox that drops a mail whose id it has, as many do; `transfers` counts all that came.

    `refusals` are replies to RCPT, by address.
    """

    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.mails: dict[str, EmailMessage] = {}
        self.transfers: list[tuple[str, tuple[str, ...]]] = []
        self.refusals: dict[str, str] = {}
        self.raw: list[bytes] = []
        self.tls = True
        self.hanging = asyncio.Event()
        self._authority: trustme.CA | None = None
        self._folder = Path("unused")
        self._running: asyncio.Server | None = None
        self._protocols: list[SMTP] = []

    async def __aenter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="responder-mail-"))
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(str(self._folder / "ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(context)
        loop = asyncio.get_running_loop()

        def protocol() -> SMTP:
            self.requests += 1
            made = SMTP(
                Handler(self),
                hostname="mail.test",
                loop=loop,
                tls_context=context if self.tls else None,
                require_starttls=self.tls,
                auth_required=self.tls,
                authenticator=self._authenticate,
            )
            self._protocols.append(made)
            return made

        self._running = await loop.create_server(protocol, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._running is not None
        self._running.close()
        for protocol in self._protocols:
            if protocol.transport is not None:
                protocol.transport.abort()
            if protocol._handler_coroutine is not None:
                protocol._handler_coroutine.cancel()
        await asyncio.sleep(0.01)
        shutil.rmtree(self._folder)

    @property
    def port(self) -> int:
        """Where it listens; 9 if it does not."""
        return int(self._running.sockets[0].getsockname()[1]) if self._running else 9

    @property
    def secrets(self) -> tuple[str, ...]:
        return (PASSWORD,)

    def sink(self, **options: Any) -> Sink:
        given = {
            "name": "mail",
            "host": "127.0.0.1",
            "port": self.port,
            "ca_file": self._folder / "ca.pem",
            "username": USERNAME,
            "password": PASSWORD,
            "hello": "responder.example.org",
            "sender": "Responder <responder@example.org>",
            "to": ["oncall@example.org", "Zoë <zoe@example.org>"],
            "timeout": PATIENCE,
        }
        return Email.model_validate(given | options)

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                body(mail, "text/plain"),
                pictures=sum(part.get_content_type() == "image/png" for part in mail.walk()),
                open=mail["X-Responder-Status"] != "resolved",
            )
            for mail in self.mails.values()
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        raise AssertionError("nobody speaks HTTP to a mail server")

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        good = (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
        if good and self.mode != "unauthorized":
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 bad credentials {PASSWORD}")

    async def before(self) -> str:
        """The reply to MAIL; empty if all is well."""
        if time.monotonic() < self._not_before:
            self.refuse("asked again before the pause was over")
        match self.mode:
            case "too many requests":
                self._not_before = time.monotonic() + 10
                return f"450 4.7.1 slow down {PASSWORD}"
            case "broken":
                return f"451 4.3.0 local error {PASSWORD}"
            case "malformed":
                return "<html>a proxy's page</html>"
            case "hang":
                self.hanging.set()
                await asyncio.sleep(2)
                return "451 4.3.0 too late"
        return ""

    async def take(self, server: SMTP, envelope: Envelope) -> str:
        """Check and keep a mail; the reply to its last line."""
        raw = envelope.original_content or b""
        mail = cast(EmailMessage, BytesParser(policy=policy.default).parsebytes(raw))
        self._check(mail, raw, envelope)
        number = str(mail["Message-ID"])
        if number in self.mails and body(self.mails[number], "text/html") != body(mail, "text/html"):
            self.refuse("another mail with the same id: mailboxes would drop it")
        self.mails.setdefault(number, mail)
        self.transfers.append((number, tuple(envelope.rcpt_tos)))
        self.raw.append(raw)
        match self.mode:
            case "broken after":
                return "451 4.3.0 local error"
            case "hang after":
                await asyncio.sleep(2)
            case "reset after":
                server.transport.abort()
        return "250 2.0.0 OK"

    def _check(self, mail: EmailMessage, raw: bytes, envelope: Envelope) -> None:
        for name in NEEDED:
            if len(mail.get_all(name) or []) != 1:
                self.refuse(f"{name} is there {len(mail.get_all(name) or [])} times")
        if mail["Auto-Submitted"] != "auto-generated":
            self.refuse("Auto-Submitted is missing: it would be answered by vacation notices")
        if re.search(rb"(?<!\r)\n|\r(?!\n)", raw) or not raw.isascii() or len(raw) > LARGEST:
            self.refuse(f"bare CR or LF, 8 bits, or too large ({len(raw)} bytes)")
        if any(len(line) > LONGEST_LINE for line in raw.split(b"\r\n")):
            self.refuse("a line is too long")
        head = raw.partition(b"\r\n\r\n")[0].decode("ascii", "replace").replace("\r\n ", " ")
        for name in ("Message-ID", "In-Reply-To", "References", "List-Id"):
            value = next((line.partition(":")[2] for line in head.split("\r\n") if line.startswith(f"{name}:")), "")
            if not re.fullmatch(r"(\s*<[^<>\s@?]+[@.][^<>\s?]+>)+", value):
                self.refuse(f"{name} is no list of ids: {value}")
        if any(defect for part in mail.walk() for defect in part.defects):
            self.refuse(f"defects: {[defect for part in mail.walk() for defect in part.defects]}")
        if envelope.mail_from != mail["From"].addresses[0].addr_spec:
            self.refuse("the return path is not the sender")
        self._check_thread(mail)
        self._check_html(mail)

    def _check_thread(self, mail: EmailMessage) -> None:
        for reference in str(mail["References"]).split()[1:]:
            if reference not in self.mails:
                self.refuse(f"a reference to a mail that nobody got: {reference}")

    def _check_html(self, mail: EmailMessage) -> None:
        if mail.get_content_type() != "multipart/alternative" or not body(mail, "text/plain").strip():
            self.refuse("not both a text and HTML")
        page = Page()
        page.feed(body(mail, "text/html"))
        page.close()
        ids = {str(part["Content-ID"]).strip("<>") for part in mail.walk() if part["Content-ID"]}
        if set(page.pictures) != ids:
            self.refuse(f"pictures {page.pictures}, parts {ids}")
        for complaint in page.complaints:
            self.refuse(complaint)


class Handler:
    """aiosmtpd's hooks."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refused := await self._fake.before():
            return refused
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if refused := self._fake.refusals.get(address):
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        return await self._fake.take(server, envelope)


class Page(HTMLParser):
    """What the HTML refers to, and what would not be shown or would load something from elsewhere."""

    allowed = frozenset(["html", "head", "meta", "title", "style", "body", "table", "tr", "td", "div", "a", "img"])

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[str] = []
        self.complaints: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in self.allowed or any(name.startswith("on") for name in given):
            self.complaints.append(f"<{tag}> {attrs}")
        if "url(" in (given.get("style") or ""):
            self.complaints.append("a style loads something")
        if tag == "a" and not str(given["href"]).startswith(("https://", "http://")):
            self.complaints.append(f"a link to {given['href']}")
        if tag == "img":
            source = str(given["src"])
            self.pictures.append(source.removeprefix("cid:"))
            if not source.startswith("cid:") or "alt" not in given:
                self.complaints.append(f"a picture from elsewhere, or without words: {source}")


def body(mail: EmailMessage, kind: str) -> str:
    """The first part of a kind."""
    part = next(part for part in mail.walk() if part.get_content_type() == kind)
    getter: Callable[[], Any] = cast(EmailMessage, part).get_content
    return str(getter()).replace("\r\n", "\n")
