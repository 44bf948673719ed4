"""Who is let in."""

import base64
import hashlib
import hmac
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from responder.errors import ConfigError
from responder.intake.authentication import USER, Authenticator
from responder.settings import Auth
from tests.makers import NOW


class StoppedClock:
    """A clock that stands still."""

    def now(self) -> Any:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


def door(**auth: Any) -> Authenticator:
    return Authenticator(Auth.model_validate(auth), StoppedClock())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_nobody_is_asked_where_nothing_is_configured() -> None:
    assert door().identify({}) == "anonymous"


def test_any_of_several_tokens_opens() -> None:
    it = door(tokens=("old", "new"))
    assert it.identify(bearer("old")) == it.identify(bearer("new")) == "token"
    assert it.identify({"Authorization": "bearer new"}) == "token"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(""),
        bearer("ne"),
        bearer("newer"),
        {"Authorization": "new"},
        {"Authorization": "ApiKey new"},
        bearer("ü\udcff"),
    ],
)
def test_anything_else_does_not(headers: dict[str, str]) -> None:
    assert door(tokens=("new",)).identify(headers) is None


def test_an_empty_token_in_the_settings_opens_nothing() -> None:
    assert door(tokens=("",)).identify(bearer("")) is None


def test_a_rotated_token_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    it = door(token_files=(file,))
    assert it.identify(bearer("old")) == "token"
    file.write_text("old\nnew\n")
    assert it.identify(bearer("old")) == it.identify(bearer("new")) == "token"
    file.write_text("new\n")
    os.utime(file, ns=(1, 1))
    assert it.identify(bearer("old")) is None
    assert it.identify(bearer("new")) == "token"


def test_while_a_token_file_is_gone_its_last_tokens_stay(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("token\n")
    it = door(token_files=(file,))
    file.unlink()
    assert it.identify(bearer("token")) == "token"


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_a_token_file_without_a_token_is_refused_at_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=str(file)):
        door(token_files=(file,))


def test_basic_authentication_takes_passwords_with_colons_and_umlauts(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from:file\n")
    it = door(basic=({"username": "anna", "password": "pä:ss"}, {"username": "bob", "password_file": file}))
    assert it.identify(basic("anna", "pä:ss")) == "anna"
    assert it.identify(basic("bob", "from:file")) == "bob"
    assert it.identify(basic("anna", "from:file")) is None
    assert it.identify(basic("carl", "pä:ss")) is None
    assert it.identify({"Authorization": "Basic !"}) is None


def test_a_browser_can_send_a_token_as_a_password() -> None:
    it = door(tokens=("secret",), basic=({"username": "anna", "password": "hers"},))
    assert it.identify(basic("carl", "secret")) == "carl"
    assert it.identify(basic("", "secret")) == "token"
    assert it.identify(basic("anna", "secret")) is None


def signature(body: bytes, key: str = "key") -> str:
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def test_grafanas_signature_of_the_body_opens() -> None:
    it = door(hmac_secret="key")
    headers = {"X-Grafana-Alerting-Signature": signature(b"body")}
    assert it.signed(headers)
    assert it.identify(headers) is None
    assert it.identify(headers, b"body") == "grafana"
    assert it.identify(headers, b"another") is None
    assert it.identify({"X-Grafana-Alerting-Signature": "ü"}, b"body") is None


@pytest.mark.parametrize(("seconds", "user"), [(0, "grafana"), (-299, "grafana"), (-301, None), (301, None)])
def test_a_signed_timestamp_must_be_fresh(seconds: int, user: str | None) -> None:
    stamp = str(int((NOW + timedelta(seconds=seconds)).timestamp()))
    it = door(hmac_secret="key", hmac_timestamp_header="X-Stamp")
    headers = {"X-Grafana-Alerting-Signature": signature(f"{stamp}:body".encode()), "X-Stamp": stamp}
    assert it.identify(headers, b"body") == user


@pytest.mark.parametrize("stamp", ["", "now", "-1", "٣", "9" * 30])
def test_a_timestamp_that_is_none_does_not_open(stamp: str) -> None:
    it = door(hmac_secret="key", hmac_timestamp_header="X-Stamp")
    headers = {"X-Grafana-Alerting-Signature": signature(f"{stamp}:body".encode()), "X-Stamp": stamp}
    assert it.identify(headers, b"body") is None


def test_a_challenge_names_what_may_be_sent() -> None:
    assert [value.split()[0] for _, value in door(tokens=("a",)).challenge()] == ["Bearer", "Basic"]
    assert [value.split()[0] for _, value in door(basic=({"username": "a", "password": "b"},)).challenge()] == ["Basic"]


async def test_the_guard_lets_pages_be_seen_by_those_who_say_who_they_are() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=request.get(USER, "nobody"))

    app = web.Application(middlewares=[door(tokens=("secret",)).guard(open_paths=("/-/healthy",))])
    app.add_routes([web.get("/", page), web.get("/-/healthy", page)])
    async with TestClient(TestServer(app)) as client:
        refused = await client.get("/")
        assert refused.status == 401
        assert refused.headers.getall("WWW-Authenticate")
        assert await (await client.get("/", headers=bearer("secret"))).text() == "token"
        assert await (await client.get("/-/healthy")).text() == "nobody"
