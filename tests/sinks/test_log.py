"""The log sink: what a person reads in the terminal."""

import io
import sys
from typing import cast

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.flow.message import compose
from responder.sinks.log import Log, printable, render
from tests.sinks.medium import medium
from tests.sinks.reports import announced, diagnosed

NOTHING = medium(cast(aiohttp.ClientSession, None))


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True


async def test_the_block_has_verdict_why_what_it_is_not_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    message = compose(diagnosed())
    await Log(name="console").deliver(message, "", NOTHING)
    first, *rest = capsys.readouterr().out.strip("\n").splitlines()
    assert first.startswith("P1 · firing 4 min · kubechat-system  ")
    assert first.endswith("  incident 4f2a")
    assert rest == [
        "api-gateway is killed for using more memory than its limit, 3 of 5 pods",
        f"Cause     {message.cause}",
        "Because   3 pods: last state OOMKilled, exit code 137  [2]",
        "          revision 42 rolled out at 02:58  [1][2]",
        "Ruled out node memory (4 nodes without pressure)  [1] · Redis (PONG in 2 ms)",
        "Not seen  Loki answered 401: check the token",
        "Next      1. roll back to revision 41",
        "          2. raise the limit to 1Gi",
        "Advice    look at the previous log",
        "Alerts    KubePodCrashLooping ×3",
        "See       Incident: http://responder.example/incidents/4f2a",
    ]


async def test_what_was_said_is_not_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    sink = Log(name="console", stream="stderr")
    receipt = await sink.deliver(compose(announced()), "", NOTHING)
    assert "looking into it" in capsys.readouterr().err
    assert await sink.deliver(compose(announced()), receipt, NOTHING) == receipt
    assert capsys.readouterr().err == ""
    await sink.deliver(compose(diagnosed()), receipt, NOTHING)
    assert "512Mi" in capsys.readouterr().err


async def test_a_terminal_gets_colours_and_no_markup_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    await Log(name="console").deliver(compose(announced(headline="[red]x[/red] [link=http://evil]y")), "", NOTHING)
    assert "\x1b[" in terminal.getvalue()
    assert "[red]x[/red] [link=http://evil]y" in terminal.getvalue()


async def test_a_stream_that_cannot_show_a_character_shows_another(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    await Log(name="console").deliver(compose(announced()), "", NOTHING)
    stream.seek(0)
    assert "P1 ? firing 4 min" in stream.read()


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jx", "\\u{1b}[2Jx"),
        ("a\u202eb", "a\\u{202e}b"),
        ("a\x9bb", "a\\u{9b}b"),
        ("a\nb", "a b"),
        ("高 🔥", "高 🔥"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown
    report = announced(target={"namespace": hostile}, title="x")
    assert hostile not in "\n".join(render(compose(report))) or hostile == shown


@settings(deadline=None)
@given(st.text())
def test_a_printed_line_is_one_line_of_printable_characters(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text).splitlines()) <= 1
