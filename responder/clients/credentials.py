"""What the HTTP clients of Prometheus, Alertmanager and Loki are configured with alike: who asks, and what is shown."""

import aiohttp
from yarl import URL

from responder.clients.answers import SecretFile
from responder.settings import PrometheusSettings


class Credentials:
    """The headers of a request: those of the settings, and a token (read again when its file changes) or a password."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._settings = settings
        self._token = SecretFile(settings.token, settings.token_file)

    def headers(self) -> dict[str, str]:
        """As they are now; raises Permanent where the file of the token cannot be read."""
        headers = {name: value.get_secret_value() for name, value in self._settings.headers.items()}
        if token := self._token.get():
            headers["Authorization"] = f"Bearer {token}"
        elif self._settings.username:
            password = self._settings.password.get_secret_value() if self._settings.password else ""
            headers["Authorization"] = aiohttp.BasicAuth(self._settings.username, password).encode()
        return headers


def public(url: str) -> str:
    """A URL to show: without user and password."""
    return str(URL(url).with_user(None)).rstrip("/") if url else ""
