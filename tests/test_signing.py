"""Signed addresses."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from responder.signing import Signer
from tests.makers import NOW

LATER = NOW + timedelta(hours=1)


def test_what_was_signed_is_read_back_until_it_expires() -> None:
    signer = Signer("key")
    token = signer.sign("button", "4f2a", "acknowledge", until=LATER)
    assert signer.read("button", token, NOW) == ("4f2a", "acknowledge")
    assert signer.read("button", token, LATER + timedelta(seconds=1)) is None
    assert signer.sign("button", "4f2a", "acknowledge", until=LATER) == token


def test_another_purpose_or_key_reads_nothing() -> None:
    token = Signer("key").sign("picture", "4f2a", until=LATER)
    assert Signer("key").read("button", token, NOW) is None
    assert Signer("other").read("picture", token, NOW) is None


@given(st.text())
def test_what_strangers_make_up_is_nothing(token: str) -> None:
    assert Signer("key").read("button", token, NOW) is None
