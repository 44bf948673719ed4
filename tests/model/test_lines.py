"""Log lines of the usual formats: without colours, with their level and what they say."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.model.lines import level, plain, understood
from responder.model.logs import group, last_error, records

SAID = "ledger checksum mismatch, refusing to start"
E = "\x1b"
TEXTS = {
    "coloured": f"2026-01-01 00:00:01 {E}[31mERROR{E}[0m worker: {SAID}",
    "coloured in 24 bits": f"{E}[1;38;2;255;0;0mERROR{E}[0m {SAID}",
    "colours written out in octal": f"#033[31mERROR#033[0m {SAID}",
    "colours written out with a caret": f"^[[31mERROR^[[0m {SAID}",
    "colours without their escape": f"[31mERROR[0m {SAID}",
    "a link in a terminal": f"{E}]8;;http://x{E}\\ERROR{E}]8;;{E}\\ {SAID}",
    "a carriage return": f"ERROR {SAID}\r",
    "a null": f"ERROR\x00 {SAID}",
    "python logging": f"2026-01-01 00:00:01,000 - ledger - ERROR - {SAID}",
    "python logging as it is": f"ERROR:ledger:{SAID}",
    "structlog": f"2026-01-01T00:00:01Z {E}[2m{E}[0m[{E}[31m{E}[1merror    {E}[0m] {E}[1m{SAID}{E}[0m",
    "logback": f"00:00:01.000 [main] ERROR com.example.Ledger - {SAID}",
    "spring": f"2026-01-01T00:00:01.000Z {E}[31mERROR{E}[0;39m 1 --- [main] com.example.Ledger : {SAID}",
    "klog": f"E0101 00:00:01.000000       1 ledger.go:12] {SAID}",
    "glog": f"E20260101 00:00:01.000000     1 ledger.cc:12] {SAID}",
    "logrus in a terminal": f"{E}[31mERRO{E}[0m[0001] {SAID}",
    "zap": f"2026-01-01T00:00:01.000Z\t{E}[31mERROR{E}[0m\tledger/main.go:12\t{SAID}",
    "zerolog": f"{E}[90m12:00AM{E}[0m {E}[1m{E}[31mERR{E}[0m{E}[0m {SAID}",
    "winston": f"error: {SAID}",
    "winston with a time": f"2026-01-01T00:00:01.000Z {E}[31merror{E}[39m: {SAID}",
    "serilog": f"[00:00:01 ERR] {SAID}",
    "nlog": f"2026-01-01 00:00:01.0000|Error|Ledger|{SAID}",
    "syslog of RFC 3164": f"<11>Jan  1 00:00:01 host ledger[1]: {SAID}",
    "syslog of RFC 5424": f"<11>1 2026-01-01T00:00:01Z host ledger 1 - - {SAID}",
    "monolog": f"[2026-01-01T00:00:01+00:00] app.ERROR: {SAID} [] []",
    "apache": f"[Thu Jan 01 00:00:01 2026] [core:error] [pid 1] {SAID}",
    "nginx": f"2026/01/01 00:00:01 [error] 7#7: *1 {SAID}",
    "rust": f"[2026-01-01T00:00:01Z ERROR ledger] {SAID}",
}
OBJECTS: dict[str, dict[str, Any]] = {
    ".NET": {"EventId": 7, "LogLevel": "Error", "Category": "Ledger", "Message": SAID, "State": {"k": 1}},
    "Serilog compact": {"@t": "2026-01-01T00:00:01Z", "@mt": "ledger {What} mismatch, refusing to start",
                        "@l": "Error", "What": "checksum"},
    "Serilog rendered": {"@t": "2026-01-01T00:00:01Z", "@m": SAID, "@l": "Error"},
    "Serilog": {"Timestamp": "t", "Level": "Error", "MessageTemplate": "ledger {What:l} mismatch, refusing to start",
                "Properties": {"What": "checksum"}},
    "zap": {"level": "error", "ts": 1.5, "caller": "ledger/main.go:12", "msg": SAID},
    "zap with short keys": {"L": "ERROR", "T": "2026-01-01", "M": SAID},
    "GELF": {"version": "1.1", "host": "h", "short_message": SAID, "level": 3, "timestamp": 1},
    "ECS": {"@timestamp": "t", "log": {"level": "ERROR", "logger": "Ledger"}, "message": SAID},
    "ECS with dots": {"@timestamp": "t", "log.level": "ERROR", "message": SAID},
    "bunyan": {"name": "ledger", "hostname": "h", "pid": 1, "level": 50, "msg": SAID, "time": "t", "v": 0},
    "pino": {"level": 50, "time": 1, "msg": SAID},
    "winston": {"level": "error", "message": SAID},
    "winston with colours": {"level": f"{E}[31merror{E}[39m", "message": f"{E}[1m{SAID}{E}[0m"},
    "logback": {"@timestamp": "t", "level": "ERROR", "logger_name": "Ledger", "message": SAID, "level_value": 40000},
    "structlog": {"event": SAID, "level": "error", "timestamp": "t"},
    "python-json-logger": {"levelname": "ERROR", "name": "ledger", "message": SAID},
    "slog": {"time": "t", "level": "ERROR", "msg": SAID},
    "Google Cloud": {"severity": "ERROR", "message": SAID},
    "OpenTelemetry": {"severityText": "ERROR", "severityNumber": 17, "body": SAID},
    "OpenTelemetry in numbers": {"severityNumber": 17, "body": {"message": SAID}},
    "tracing of Rust": {"timestamp": "t", "level": "ERROR", "fields": {"message": SAID}, "target": "ledger"},
    "MongoDB": {"t": {"$date": "t"}, "s": "E", "c": "STORAGE", "id": 1, "ctx": "main", "msg": SAID},
    "a collector's": {"log": json.dumps({"level": "error", "msg": SAID}) + "\n", "stream": "stderr", "time": "t"},
    "a message inside": {"data": {"Level": "Error", "Msg": SAID}},
    "an error inside": {"level": "error", "error": {"type": "LedgerError", "message": SAID, "stack": "at x"}},
}  # fmt: skip
LOGFMT = {
    "logfmt": f'time=2026-01-01T00:00:01Z level=ERROR msg="{SAID}"',
    "logrus": f'time="2026-01-01T00:00:01Z" level=error msg="{SAID}" component=ledger',
    "go-kit": f'ts=t caller=main.go:12 level=error component=x msg="{SAID}"',
    "short": f'lvl=eror t=t msg="{SAID}"',
}


@pytest.mark.parametrize("line", TEXTS.values(), ids=TEXTS)
def test_a_line_of_text_is_an_error(line: str) -> None:
    (record,) = records([line])
    assert record.level == "error"
    assert record.text.endswith(SAID) or SAID in record.text
    assert record.text.isprintable() or "\t" in record.text


@pytest.mark.parametrize("line", [*map(json.dumps, OBJECTS.values()), *LOGFMT.values()], ids=[*OBJECTS, *LOGFMT])
def test_a_structured_line_says_what_went_wrong(line: str) -> None:
    (record,) = records([line])
    assert (record.level, record.text) == ("error", SAID)


@pytest.mark.parametrize("colour", ["", f"{E}[41m{E}[30m"])
def test_a_record_of_the_console_of_net_is_on_two_lines(colour: str) -> None:
    end = f"{E}[39m{E}[22m{E}[49m" if colour else ""
    lines = [f"{colour}info{end}: Ledger[0]", "      starting", f"{colour}fail{end}: Ledger[7]", f"      {SAID}"]
    assert [(record.level, record.text) for record in records(lines)] == [("info", "starting"), ("error", SAID)]
    assert last_error(lines) == SAID


def test_an_exception_of_net_is_told_with_its_root_cause() -> None:
    lines = [
        "fail: Ledger[7]",
        f"      {SAID}",
        "      System.InvalidOperationException: no ledger",
        "       ---> System.Net.Sockets.SocketException (111): Connection refused (db:5432)",
        "         at Ledger.Open()",
    ]
    assert last_error(lines) == f"{SAID}: System.Net.Sockets.SocketException (111): Connection refused (db:5432)"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"level":"info","msg":"exported","s":"E"}', "info"),
        ('{"@t":"t","@mt":"started"}', "info"),
        ('{"level":30,"msg":"listening"}', "info"),
        ('{"level":6,"short_message":"listening"}', "info"),
        ('{"s":"I","ctx":"main","msg":"connection ended"}', "info"),
        ("<14>Jan  1 00:00:01 host ledger[1]: listening", "info"),
        ("<4>1 2026-01-01T00:00:01Z host x 1 - - slow", "warning"),
        ("warn: slow", "warning"),
        ("2026/01/01 00:00:00 http: TLS handshake error from 10.0.0.1:1: EOF", "error"),
    ],
)
def test_other_levels_are_told_apart(line: str, expected: str) -> None:
    assert (understood(line)[1] or level(line)) == expected


def test_with_whom_a_structured_line_spoke_is_kept() -> None:
    line = '{"level":"error","msg":"dial failed","addr":"db:5432","error":"connection refused"}'
    assert understood(line)[0] == "dial failed: connection refused (db:5432)"


def test_what_looks_like_a_colour_and_is_none_stays() -> None:
    assert plain("rate(x[5m]) of [main] [3;4] took 5[ms]") == "rate(x[5m]) of [main] [3;4] took 5[ms]"


@given(st.text())
def test_what_is_shown_has_no_control_characters(text: str) -> None:
    shown = plain(text)
    assert not {*shown} & {chr(number) for number in (*range(9), *range(11, 32), *range(127, 160))}


@given(st.lists(st.text() | st.sampled_from([*TEXTS.values(), *LOGFMT.values()]), max_size=6))
def test_whatever_a_program_writes_is_read(lines: list[str]) -> None:
    assert all(found.example.strip() for found in group(lines))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["level", "msg", "error", "log", "message", "@l", "@t", "severityNumber"]), inner
        )
    ),
    max_leaves=8,
)


@given(json_values)
def test_whatever_object_a_program_writes_is_read(value: Any) -> None:
    understood(json.dumps({"log": value, "x": value}))
    understood(json.dumps(value))
