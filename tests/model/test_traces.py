"""Stack traces are one record, and their root cause is what is told."""

from datetime import datetime

import pytest

from responder.model.failures import FailureKind, failure
from responder.model.logs import group, last_error, records
from tests.insurer import lines


def test_a_java_trace_with_messages_of_many_lines_is_one_record() -> None:
    found = list(records(lines.refused_by_mysql()))
    assert len(found) == 2
    assert all(record.text.startswith("java.net.ConnectException: Connection refused") for record in found)


def test_a_bare_root_cause_keeps_what_it_made_fail() -> None:
    (first, _) = records(lines.refused_by_mysql())
    assert "Communications link failure" in first.text
    failed = failure(first.text)
    assert failed is not None
    assert failed.kind is FailureKind.REFUSED


def test_the_url_of_a_call_that_failed_is_kept() -> None:
    (record,) = records(lines.call_fails("http://payment:8080/x", lines.CONNECT))
    failed = failure(record.text)
    assert failed is not None
    assert (failed.kind, failed.peer) == (FailureKind.REFUSED, "payment:8080")


def test_a_trace_after_a_warning_is_a_warning() -> None:
    said = lines.failed(lines.spring("WARN", "not now"), "java.lang.IllegalStateException: closed")
    assert [(record.level, record.text) for record in records(said)] == [
        ("warning", "java.lang.IllegalStateException: closed")
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ModuleNotFoundError: No module named 'yaml'", FailureKind.MISSING_FILE),
        ("org.springframework.web.client.ResourceAccessException: no", None),
        ("org.springframework.security.access.AccessDeniedException: Access is denied", None),
        ("Failed to resolve argument 0", None),
        (
            "Failed to obtain JDBC Connection; nested exception is: Access denied for user 'a'@'b'",
            FailureKind.AUTHENTICATION,
        ),
        ("Web server failed to start. Port 8080 was already in use.", FailureKind.ADDRESS_IN_USE),
        ("java.net.UnknownHostException: Failed to resolve 'order' [A(1), AAAA(28)]", FailureKind.NO_SUCH_HOST),
        ("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN", FailureKind.AUTHENTICATION),
        ("ERROR: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)", FailureKind.READ_ONLY),
    ],
)
def test_words_inside_of_words_are_no_failures(text: str, kind: FailureKind | None) -> None:
    found = failure(text)
    assert (found.kind if found else None) == kind


def test_groups_tell_how_many_lines_came_since_the_trouble_began() -> None:
    said = [f"2026-03-04T0{hour}:00:00Z ERROR no route to host" for hour in (1, 2, 3)]
    (found,) = group(said, datetime.fromisoformat("2026-03-04T02:30:00Z"))
    assert (found.count, found.late) == (3, 1)


def test_the_reason_why_spring_boot_failed_is_the_last_error() -> None:
    assert "Port 8080 was already in use" in last_error(lines.port_taken(8080))
