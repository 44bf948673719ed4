"""What is kept of config maps: places and limits, never secrets."""

import pytest

from responder.model.extracts import extract


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("DB_HOST", "mysql", "mysql"),
        ("API_URL", "http://shop:hunter2@api:8080/v1", "http://[redacted]@api:8080/v1"),
        ("max_connections", "50", "50"),
        ("DB_PASSWORD", "hunter2", ""),
        ("GREETING", "hunter2", ""),
        ("config.json", '{"token": "hunter2"}', ""),
    ],
)
def test_of_a_single_value_only_places_and_limits_are_kept(key: str, value: str, kept: str) -> None:
    assert extract({key: value}) == {key: kept}


def test_of_a_file_the_lines_with_places_and_limits_are_kept() -> None:
    text = "spring:\n  datasource:\n    url: jdbc:mysql://db:3306/shop\n    password: hunter2\n  banner: hunter2\n"
    kept = extract({"application.yml": text})["application.yml"]
    assert "jdbc:mysql://db:3306/shop" in kept
    assert "hunter2" not in kept


@pytest.mark.parametrize("line", ["super_read_only = ON", "max_connections=10", "read-only", "proxy_pass http://a:80;"])
def test_settings_of_servers_are_kept(line: str) -> None:
    assert line in extract({"file": f"[section]\n{line}\nother thing\n"})["file"]


def test_what_is_no_text_is_dropped() -> None:
    assert extract({"a": None, "b": 5}) == {"a": "", "b": ""}
