"""Apprise: each service in its format, none told twice that said yes, and no address in any word of ours."""

import importlib.util
import logging
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from responder import plugins, sinks
from responder.errors import ConfigError, Permanent, Reason, Temporary
from responder.flow.buttons import Addresses
from responder.flow.message import compose
from responder.flow.sample import stages
from responder.model.message import Message
from responder.signing import Signer
from responder.sinks import Sink, _apprise
from responder.sinks.apprise import Apprise
from tests.fakes.sinks.apprise import PASSWORD, Fake
from tests.makers import NOW
from tests.sinks.medium import Keeper, medium
from tests.sinks.reports import diagnosed, finding

ADDRESSES = Addresses("https://responder.example", Signer("key"))
DIAGNOSED = stages(NOW, ADDRESSES)["diagnosed"]


@pytest.fixture
async def service() -> AsyncIterator[Fake]:
    async with Fake() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What gets to the log of the process, at any level."""
    lines: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name != "aiohttp.access":
                lines.append(record.getMessage())

    root, listener = logging.getLogger(), Listener()
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(listener)
    root.setLevel(level)


def hostile() -> Message:
    words = "*b* _i_ `c` [x](http://evil.example) <b>&amp; @everyone <!channel> <@U1> ~s~ | # 🔥 شبكة"
    return compose(diagnosed(headline=words, findings=(finding(explanation=words),)), addresses=ADDRESSES)


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("text", "\nCause\n- container oom killed: deployment/checkout; certain\n"),
        ("markdown", "\n**Cause**\n- container oom killed: deployment/checkout; certain\n"),
        ("html", "<br><b>Cause</b> container oom killed: deployment/checkout; certain<br>"),
    ],
)
async def test_each_service_gets_its_format(service: Fake, http: aiohttp.ClientSession, form: str, shown: str) -> None:
    service.form = form
    await service.sink().deliver(DIAGNOSED, "", medium(http))
    (one,) = service.messages
    assert shown in one["message"]
    assert "https://responder.example/incidents/sample" in one["message"]
    assert one["title"].startswith("P1 Sample: checkout is killed")
    assert one["type"] == "failure"


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
async def test_words_of_strangers_stay_words(service: Fake, http: aiohttp.ClientSession, form: str) -> None:
    service.form = form
    await service.sink().deliver(hostile(), "", medium(http))
    text = service.messages[0]["message"]
    if form == "html":
        assert set(re.findall(r"<(\w+)", text)) == {"b", "br", "a"}
    if form == "markdown":
        assert r"\*b\* \_i\_ \`c\` \[x\](http://evil.example)" in text
    assert "🔥 شبكة" in text


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
@pytest.mark.parametrize("most", [-100, 159, 160, 161, 1024, 4096, 32_768])
def test_a_body_is_within_the_limit_of_the_service(form: Any, most: int) -> None:
    steps = tuple(f"{number} {'<&@>' * 90}" for number in range(5))
    message = compose(diagnosed(headline="@<" * 200, findings=(finding(next_steps=steps),)), addresses=ADDRESSES)
    text = _apprise.body(message, form, most)
    assert 0 < len(text) <= max(160, most)
    assert re.findall(r"&(?!(?:amp|lt|gt|quot|#x27);)", text) == [] or form != "html"
    assert not re.search(r"(^|[^\\])(\\\\)*\\$", text)


@pytest.mark.parametrize(("most", "length"), [(0, 200), (50, 50), (250, 200)])
def test_a_title_is_cut_and_on_one_line(most: int, length: int) -> None:
    found = _apprise.title(compose(diagnosed(headline="a\nb " * 100)), most)
    assert len(found) in (length, length - 1)
    assert found.endswith("…")
    assert "\n" not in found


async def test_only_the_service_that_said_no_is_asked_again(service: Fake, http: aiohttp.ClientSession) -> None:
    keeper = Keeper()
    async with Fake() as other:
        other.mode = "broken"
        sink = service.sink(urls=[service.address, other.address], timeout="30s")
        with pytest.raises(Temporary, match=r"urls\[1\] \(json\) answered 500") as caught:
            await sink.deliver(DIAGNOSED, "", medium(http, keeper=keeper))
        assert caught.value.reason is Reason.SERVER_ERROR
        other.mode = "ok"
        receipt = await sink.deliver(DIAGNOSED, keeper.receipts[-1], medium(http))
        assert len(other.messages) == 1
        assert await sink.deliver(DIAGNOSED, receipt, medium(http)) == receipt
    assert len(service.messages) == 1
    assert PASSWORD not in receipt


async def test_the_reason_is_heard_however_little_is_logged(
    service: Fake, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.CRITICAL)
    logging.getLogger("apprise").manager._clear_cache()  # type: ignore[attr-defined]
    service.mode = "broken"
    with pytest.raises(Temporary, match=r"urls\[0\] \(json\) answered 500"):
        await service.sink(timeout="30s").deliver(DIAGNOSED, "", medium(http))


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (400, Permanent, Reason.BAD_REQUEST),
        (401, Permanent, Reason.UNAUTHORIZED),
        (403, Permanent, Reason.FORBIDDEN),
        (404, Permanent, Reason.NOT_FOUND),
        (413, Permanent, Reason.TOO_LARGE),
        (429, Temporary, Reason.OVERLOADED),
        (502, Temporary, Reason.SERVER_ERROR),
    ],
)
async def test_the_status_says_whether_trying_again_helps(
    service: Fake,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[str],
    status: int,
    kind: type[Exception],
    reason: Reason,
) -> None:
    async def refused(*_: Any) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=status, text=PASSWORD)

    monkeypatch.setattr(service, "answer", refused)
    with pytest.raises(kind, match=str(status)) as caught:
        await service.sink().deliver(DIAGNOSED, "", medium(http))
    assert getattr(caught.value, "reason", None) is reason
    assert PASSWORD not in str(caught.value)
    assert not [line for line in logged if PASSWORD in line or "/hook" in line]


async def test_nobody_there_may_be_tried_again(http: aiohttp.ClientSession) -> None:
    sink = Apprise(name="others", urls=(f"json://u:{PASSWORD}@127.0.0.1:9/",))
    with pytest.raises(Temporary) as caught:
        await sink.deliver(DIAGNOSED, "", medium(http))
    assert caught.value.reason is Reason.UNREACHABLE
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("url", [f"nonsense-{PASSWORD}", f"nosuch://{PASSWORD}/", "json://"])
async def test_an_address_that_is_none_is_named_by_its_place(
    http: aiohttp.ClientSession, url: str, logged: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Permanent, match=r"urls\[0\]") as caught:
        await Apprise(name="others", urls=(url,)).deliver(DIAGNOSED, "", medium(http))
    assert caught.value.reason is Reason.NOT_CONFIGURED
    for said in (str(caught.value), *logged, *capfd.readouterr()):
        assert PASSWORD not in said


async def test_a_plugin_that_breaks_is_told_of_without_its_words(
    service: Fake, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> bool:
        raise RuntimeError(PASSWORD)

    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.send", broken)
    with pytest.raises(Temporary, match="RuntimeError") as caught:
        await service.sink().deliver(DIAGNOSED, "", medium(http))
    assert PASSWORD not in str(caught.value)


async def test_addresses_may_be_in_a_file(service: Fake, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    (tmp_path / "urls").write_text(f"{service.address}\n\n{service.address}\n")
    await service.sink(urls=(), urls_file=tmp_path / "urls", pictures=False).deliver(DIAGNOSED, "", medium(http))
    assert [one["attachments"] for one in service.messages] == [[], []]


def test_without_the_library_the_settings_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = plugins.load(sinks, Sink, "sink")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'responder\[apprise\]'"):
        catalog.build("apprise", {"name": "others", "urls": ["json://x"]})


def test_an_address_is_needed() -> None:
    catalog = plugins.load(sinks, Sink, "sink")
    with pytest.raises(ConfigError, match="urls or urls_file"):
        catalog.build("apprise", {"name": "others"})
