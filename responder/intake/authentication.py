"""Who may send webhooks and read the pages: bearer tokens, basic authentication, Grafana's HMAC header."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import SecretStr

from responder.clock import Clock, SystemClock
from responder.errors import ConfigError
from responder.settings import Auth

BEARER = 'Bearer realm="responder"'
BASIC = 'Basic realm="responder", charset="UTF-8"'
USER = web.RequestKey("user", str)
"""Where the guard notes who asks."""
TOLERANCE = 300
"""Seconds that a signed timestamp may be off."""


class SecretFile:
    """Secrets in a file, one a line, read again when the file changes.

    The file is looked at in each use, as Prometheus does with its credential files; while it is gone,
    the last secrets stay. Raises ConfigError where it cannot be read at first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = (0, 0, 0)
        self._secrets: tuple[bytes, ...] = ()
        try:
            self._read()
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        if not self._secrets:
            raise ConfigError(f"{path}: holds no secret")

    def secrets(self) -> tuple[bytes, ...]:
        """What the file holds now."""
        try:
            self._read()
        except OSError:
            return self._secrets
        return self._secrets

    def _read(self) -> None:
        about = self._path.stat()
        now = (about.st_mtime_ns, about.st_size, about.st_ino)
        if now != self._seen:
            lines = self._path.read_bytes().splitlines()
            self._secrets = tuple(line.strip() for line in lines if line.strip())
            self._seen = now


class _Secrets:
    """Secrets from the settings and from files, compared without telling by the time how much was right."""

    def __init__(self, given: Collection[SecretStr | None], files: Collection[Path | None]) -> None:
        values = (secret.get_secret_value().encode() for secret in given if secret is not None)
        self._given = tuple(value for value in values if value)
        self._files = tuple(SecretFile(path) for path in files if path is not None)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._given
        for file in self._files:
            yield from file.secrets()

    def holds(self, candidate: bytes) -> bool:
        """Whether it is one of the secrets."""
        return any([_same(candidate, secret) for secret in self])  # noqa: C419 - none is skipped


class Authenticator:
    """Tells who asks. Where the settings ask for nothing, everybody is `anonymous`."""

    def __init__(self, auth: Auth, clock: Clock | None = None) -> None:
        self._auth = auth
        self._clock = clock or SystemClock()
        self._tokens = _Secrets(auth.tokens, auth.token_files)
        self._users = {name: _passwords(auth, name) for name in {user.username for user in auth.basic}}
        self._keys = _Secrets([auth.hmac_secret], [auth.hmac_secret_file])

    def identify(self, headers: Mapping[str, str], body: bytes | None = None) -> str | None:
        """The name of who asks, or None if the credentials are missing or wrong.

        A bearer token also counts as the password of any user name, so that browsers can send it. With
        a `body`, the HMAC header is an alternative.
        """
        if not self._auth.configured:
            return "anonymous"
        scheme, _, credentials = headers.get("Authorization", "").partition(" ")
        match scheme.lower():
            case "bearer" if self._tokens.holds(_bytes(credentials.strip())):
                return "token"
            case "basic" if name := self._basic(credentials):
                return name
        if body is not None and self.signed(headers) and self._signature_fits(headers, body):
            return "grafana"
        return None

    def signed(self, headers: Mapping[str, str]) -> bool:
        """Whether a signature is there that only the body can prove."""
        return self._auth.hmac_header in headers and any(self._keys)

    def challenge(self) -> list[tuple[str, str]]:
        """The headers of a 401: what may be sent instead."""
        by_token = any(self._tokens)
        schemes = [BEARER] * by_token + [BASIC] * (by_token or bool(self._users))
        return [("WWW-Authenticate", scheme) for scheme in schemes or [BEARER]]

    def guard(self, *, open_paths: Collection[str]) -> Middleware:
        """A middleware that lets only those in who say who they are, and notes it as `request[USER]`."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path in open_paths:
                return await handler(request)
            user = self.identify(request.headers)
            if user is None:
                return web.Response(status=401, text="401: credentials are wanted\n", headers=self.challenge())
            request[USER] = user
            return await handler(request)

        return guard

    def _basic(self, credentials: str) -> str | None:
        """RFC 7617: base64 of `user:password`; the password may hold colons."""
        try:
            user, _, password = base64.b64decode(credentials.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return None
        name = user.decode("utf-8", "replace")
        if name in self._users:
            return name if self._users[name].holds(password) else None
        return (name or "token") if self._tokens.holds(password) else None

    def _signature_fits(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Grafana's webhook signature: hex HMAC-SHA256 of the body, or of `TIMESTAMP:` and the body."""
        signed = body
        if name := self._auth.hmac_timestamp_header:
            stamp = headers.get(name, "")
            if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 20):
                return False
            if abs(self._clock.now().timestamp() - int(stamp)) > TOLERANCE:
                return False
            signed = b"%b:%b" % (stamp.encode(), body)
        given = _bytes(headers[self._auth.hmac_header].strip().lower())
        fitting = [hmac.new(key, signed, hashlib.sha256).hexdigest().encode() for key in self._keys]
        return any([_same(given, wanted) for wanted in fitting])  # noqa: C419 - none is skipped


def _passwords(auth: Auth, name: str) -> _Secrets:
    entries = [user for user in auth.basic if user.username == name]
    return _Secrets([user.password for user in entries], [user.password_file for user in entries])


def _bytes(header: str) -> bytes:
    return header.encode("utf-8", "surrogateescape")


def _same(one: bytes, other: bytes) -> bool:
    """Equal, in constant time for any two lengths."""
    return hmac.compare_digest(hashlib.sha256(one).digest(), hashlib.sha256(other).digest())
