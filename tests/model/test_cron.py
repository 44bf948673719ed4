"""Schedules of cron jobs: when they are due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.model.cron import Schedule

NOW = datetime(2026, 3, 4, 3, 7, 30, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("* * * * *", "2026-03-04T03:07"),
        ("*/5 * * * *", "2026-03-04T03:05"),
        ("0 2 * * *", "2026-03-04T02:00"),
        ("30 4 * * *", "2026-03-03T04:30"),
        ("0 0 1 * *", "2026-03-01T00:00"),
        ("0 0 * * 0", "2026-03-01T00:00"),
        ("0 0 * * 7", "2026-03-01T00:00"),
        ("0 0 * * mon-fri", "2026-03-04T00:00"),
        ("0 12 * jan,feb *", "2026-02-28T12:00"),
        ("0 0 13 * 5", "2026-02-27T00:00"),
        ("0 0 29 2 *", "2024-02-29T00:00"),
        ("10-20/5 3 * * *", "2026-03-03T03:20"),
        ("@hourly", "2026-03-04T03:00"),
        ("@yearly", "2026-01-01T00:00"),
        ("TZ=Europe/Berlin 0 4 * * *", "2026-03-04T03:00"),
    ],
)
def test_the_last_time_it_was_due(text: str, last: str) -> None:
    found = Schedule.parse(text).before(NOW)
    assert found is not None
    assert found.astimezone(UTC) == datetime.fromisoformat(f"{last}+00:00")


def test_a_time_zone_counts() -> None:
    found = Schedule.parse("0 22 * * *", "America/New_York").before(NOW)
    assert found is not None
    assert found.astimezone(UTC) == datetime(2026, 3, 4, 3, 0, tzinfo=UTC)


def test_how_often_it_was_due_is_counted_up_to_a_bound() -> None:
    schedule = Schedule.parse("*/10 * * * *")
    assert schedule.due(NOW - timedelta(hours=1), NOW) == 6
    assert schedule.due(NOW - timedelta(days=9), NOW) == 100
    assert schedule.due(NOW, NOW) == 0


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "a * * * *", "*/0 * * * *", "5-1 * * * *", "-1 * * * *", "* * * 13 *", "@reboot"])  # fmt: skip  # noqa: E501
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        Schedule.parse(text)


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Schedule.parse("* * * * *", "../etc/passwd")


@given(st.text(alphabet="0123456789*/,-? abcdJN@", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        schedule = Schedule.parse(text)
    except ValueError:
        return
    found = schedule.before(NOW)
    assert found is None or found <= NOW


@given(st.integers(0, 59), st.integers(0, 23))
def test_a_daily_schedule_was_due_within_a_day(minute: int, hour: int) -> None:
    found = Schedule.parse(f"{minute} {hour} * * *").before(NOW)
    assert found is not None
    assert timedelta() <= NOW - found < timedelta(days=1)
