"""A page of another site counts as none of ours, by whatever name it leads here."""

import pytest

from responder.origin import is_meant


@pytest.mark.parametrize("host", ["localhost:9095", "127.0.0.1", "[::1]:9095", "responder.example", "app.localhost:1"])
def test_loopback_and_our_own_names_are_meant(host: str) -> None:
    assert is_meant(host, {"responder.example"})


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[", "localhost.evil.example"]
)
def test_other_names_are_not(host: str) -> None:
    assert not is_meant(host, {"responder.example"})
