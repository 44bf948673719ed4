"""A number in a log line is an HTTP status only where the line says so."""

import pytest

from responder.model.statuses import reports


@pytest.mark.parametrize(
    "line",
    [
        "level=error msg=denied status=401",
        '{"statusCode":401,"msg":"no"}',
        '{"http":{"response":{"status_code": 401}}}',
        "HTTP 401",
        "upstream answered HTTP/1.1 401",
        '"POST /v1/events HTTP/1.1" 401 12',
        "SIEM answered 401",
        "export failed: 401",
        "the server returned 401 (token expired)",
        "401 Client Error: Unauthorized for url: https://siem.example",
        "Error code: 401 - {'error': {}}",
        "openai: 401 Unauthorized",
        "response status: 401",
        "unexpected status code 401",
        "got 401, giving up",
        "server returned HTTP status 401 Unauthorized",
    ],
)
def test_a_status_is_seen(line: str) -> None:
    assert reports([401, 403]).search(line)


@pytest.mark.parametrize(
    "line",
    [
        "tokens=401",
        "entries=401",
        "exported 401 events, SIEM answered 200",
        "exported 403 events, status=200",
        "returned 401 rows",
        "failed 403 times",
        "port 4010",
        "status=4010",
        "took 401 ms",
        "user 403 logged in",
        "received 403 events",
    ],
)
def test_another_number_is_none(line: str) -> None:
    assert not reports([401, 403]).search(line)
