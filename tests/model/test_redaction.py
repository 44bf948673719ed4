"""Secrets stay secret."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.model.redaction import HIDDEN, redact, redact_value

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJyb290In0.c2lnbmF0dXJl"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEhunter2\n-----END RSA PRIVATE KEY-----"

SECRETS = {
    "password=hunter2 rest": "hunter2",
    'level=error DB_PASSWORD="hunter2 with space" rest': "hunter2",
    "{'password': 'hunter2'}": "hunter2",
    '{"user": "root", "password": "hunter2", "n": 1}': "hunter2",
    "client_secret: hunter2": "hunter2",
    "mysql --password hunter2 -h db": "hunter2",
    "Authorization: Bearer hunter2hunter2": "hunter2",
    "authorization: Basic cm9vdDpodW50ZXIy": "cm9vdDpodW50ZXIy",
    "Cookie: a=hunter2; b=hunter2": "hunter2",
    "postgres://root:hunter2@db:5432/shop": "hunter2",
    "redis://:hunter2@redis:6379/0": "hunter2",
    "GET /a?x=1&token=hunter2&y=2": "hunter2",
    f"with {JWT} in it": "c2lnbmF0dXJl",
    f"key {KEY} end": "MIIEhunter2",
    "key -----BEGIN PRIVATE KEY-----\nMIIEhunter2": "MIIEhunter2",
    "AKIAIOSFODNN7EXAMPLE": "AKIAIOSFODNN7EXAMPLE",
    "ghp_abcdefghijklmnopqrstuvwx0123456789": "abcdefghijklmnop",
    "xoxb-123456789012-abcdefghijkl": "abcdefghijkl",
    "https://hooks.slack.com/services/T000/B000/hunter2": "hunter2",
    '[{"name":"API_TOKEN","value":"hunter2"}]': "hunter2",
}

HARMLESS = (
    "password authentication failed for user root",
    "basic authentication is not supported here",
    "bearer authentication refused",
    'MountVolume.SetUp failed for volume "x" : secret "db" not found',
    "couldn't find key password in Secret shop/db",
    "http://db:5432/shop connection refused",
    "tokenExpirationSeconds: 3607",
    "author=jane keyboard=us monkey=see",
    "password=null",
    "2026-01-01T00:00:00Z GET http://a:80/b 200",
)


@pytest.mark.parametrize("text", SECRETS)
def test_hides_the_secret_in(text: str) -> None:
    assert SECRETS[text] not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_leaves_alone(text: str) -> None:
    assert redact(text) == text


def test_the_rest_of_a_line_of_json_stays_json() -> None:
    assert redact('{"password": "hunter2", "n": 1}') == f'{{"password": "{HIDDEN}", "n": 1}}'


def test_hides_values_under_names_of_secrets_at_any_depth() -> None:
    spec = {"env": [{"name": "DB_PASSWORD", "value": "x"}, {"name": "PORT", "value": "80"}], "api_key": 5, "token": ""}
    assert redact_value(spec) == {
        "env": [{"name": "DB_PASSWORD", "value": HIDDEN}, {"name": "PORT", "value": "80"}],
        "api_key": HIDDEN,
        "token": "",
    }


def test_keeps_references_to_secrets() -> None:
    reference = {"secretKeyRef": {"name": "db", "key": "password"}, "secretName": "tls", "optional": True}
    assert redact_value(reference) == reference


WORDS = st.sampled_from(
    [
        "password",
        "token",
        "=",
        ": ",
        '"',
        "'",
        "[redacted]",
        "://",
        "@",
        ":",
        "Bearer ",
        "hunter2",
        "\n",
        "{",
        "&",
        "--",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(), st.lists(st.one_of(WORDS, st.text(max_size=5))).map("".join)))
def test_never_raises_and_twice_is_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.lists(inner) | st.dictionaries(st.one_of(st.text(), WORDS), inner),
    max_leaves=15,
)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_never_raises_on_json(value: object) -> None:
    once = redact_value(value)  # type: ignore[arg-type]
    assert redact_value(once) == once
