"""Payloads: clean ones are read as they are, others are repaired as far as they can be used."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.intake.payload import BadPayload, check, parse
from responder.intake.problems import LIMITS
from responder.intake.repair import fingerprint, repair
from responder.model.alert import AlertStatus, Notification
from tests.intake.bodies import ZERO, wire, wire_alert
from tests.makers import NOW


def read(body: bytes) -> Notification:
    return parse(body, id=7, received_at=NOW)


def problems(body: bytes) -> dict[str, str]:
    with pytest.raises(BadPayload) as refusal:
        read(body)
    return {problem.pointer: problem.detail for problem in refusal.value.problems}


def test_a_clean_notification_is_read_as_it_is() -> None:
    notification = read(wire(truncatedAlerts=3))
    [alert] = notification.alerts
    assert notification.id == 7
    assert notification.received_at == NOW
    assert notification.receiver == "team/web.hook"
    assert notification.group_key == '{}:{alertname="DiskFull"}'
    assert notification.group_labels == {"alertname": "DiskFull"}
    assert notification.external_url == "http://alertmanager:9093"
    assert notification.reason == "first notification"
    assert notification.alerts_truncated == 3
    assert notification.remarks == ()
    assert alert.key == alert.fingerprint == "0123456789abcdef"
    assert alert.status is AlertStatus.FIRING
    assert alert.name == "DiskFull"
    assert alert.starts_at == datetime(2026, 3, 4, 2, 55, 0, 123456, tzinfo=UTC)
    assert alert.ends_at is None
    assert alert.generator_url.startswith("http://prometheus:9090/")


def test_a_resolved_alert_has_an_end() -> None:
    [alert] = read(wire(wire_alert(status="resolved", endsAt="2026-03-04T02:59:00+00:00"))).alerts
    assert alert.status is AlertStatus.RESOLVED
    assert alert.ends_at == datetime(2026, 3, 4, 2, 59, tzinfo=UTC)


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_repair_reads_a_clean_body_as_the_fast_way_does(status: str) -> None:
    body = wire(wire_alert(status=status, endsAt="2026-03-04T02:59:00.999999999+05:45"), wire_alert(fingerprint="b"))
    assert repair(body, id=7, received_at=NOW) == read(body)


def test_the_fingerprint_is_computed_as_alertmanager_does() -> None:
    assert fingerprint({}) == "cbf29ce484222325"
    assert fingerprint({"alertname": "Offset"}) == "b7ca8095613df6a9"


@pytest.mark.parametrize("sent", [None, ""])
def test_a_missing_fingerprint_is_computed(sent: str | None) -> None:
    [alert] = read(wire(wire_alert(labels={"alertname": "Offset"}, fingerprint=sent))).alerts
    assert alert.key == alert.fingerprint == "b7ca8095613df6a9"
    assert alert.remarks == ()


def test_a_fingerprint_is_opaque() -> None:
    assert read(wire(wire_alert(fingerprint="not hex"))).alerts[0].fingerprint == "not hex"


def test_different_alerts_under_one_fingerprint_have_keys_of_their_own() -> None:
    dog, cat = read(wire(wire_alert(labels={"alertname": "Dog"}), wire_alert(labels={"alertname": "Cat"}))).alerts
    assert dog.fingerprint == cat.fingerprint
    assert dog.key != cat.key
    assert dog.key.startswith(dog.fingerprint)
    assert dog.remarks


def test_one_alert_told_twice_keeps_one_key() -> None:
    one, two = read(wire(wire_alert(), wire_alert())).alerts
    assert one.key == two.key == one.fingerprint


def test_equal_labels_under_different_fingerprints_stay_two_alerts() -> None:
    one, two = read(wire(wire_alert(), wire_alert(fingerprint="another"))).alerts
    assert one.key != two.key


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"endsAt": ZERO}, "firing"),
        ({"endsAt": "2026-03-04T02:59:00Z"}, "resolved"),
        ({"endsAt": "2026-03-04T03:59:00Z"}, "firing"),
        ({"endsAt": None}, "resolved"),
        ({"status": "Firing"}, "firing"),
        ({"status": "on fire", "endsAt": ZERO}, "firing"),
    ],
)
def test_a_missing_status_is_what_the_end_says_and_then_the_group(fields: dict[str, Any], status: str) -> None:
    [alert] = read(wire(wire_alert(**({"status": None} | fields)), status="resolved")).alerts
    assert alert.status == status


def test_an_alerts_own_status_wins_over_the_groups() -> None:
    [alert] = read(wire(status="resolved")).alerts
    assert alert.status is AlertStatus.FIRING


@pytest.mark.parametrize("start", [None, "", ZERO, "0001-01-01T00:00:00+05:45", "data", [], -1, "9999-12-31T23:59:59Z"])
def test_an_unknown_start_is_the_time_of_receipt_and_says_so(start: object) -> None:
    [alert] = read(wire(wire_alert(startsAt=start))).alerts
    assert alert.starts_at == NOW
    assert not alert.starts_at_known
    assert any(remark.startswith("startsAt") for remark in alert.remarks)


def test_a_resolved_alert_without_an_end_ended_when_it_was_told() -> None:
    [alert] = read(wire(wire_alert(status="resolved"))).alerts
    assert alert.ends_at == NOW


def test_a_time_without_offset_is_utc() -> None:
    [alert] = read(wire(wire_alert(startsAt="2026-03-04T02:00:00"))).alerts
    assert alert.starts_at == NOW - timedelta(hours=1)
    assert alert.starts_at_known


def test_numbers_in_labels_become_text_and_empty_labels_are_no_labels() -> None:
    labels = {"alertname": "X", "code": 500, "ratio": 0.5, "ok": True, "none": None, "empty": "", "list": [1]}
    [alert] = read(wire(wire_alert(labels=labels))).alerts
    assert alert.labels == {"alertname": "X", "code": "500", "ratio": "0.5", "ok": "true"}
    assert len(alert.remarks) == 5


def test_a_group_key_that_is_a_number_is_not_rounded() -> None:
    assert read(wire(groupKey=5615590933959184469)).group_key == "5615590933959184469"


def test_a_wrong_envelope_does_not_harm_the_alerts() -> None:
    notification = read(wire(groupLabels="x", truncatedAlerts=-1, externalURL={}, receiver=None))
    assert len(notification.alerts) == 1
    assert notification.group_labels == {}
    assert notification.alerts_truncated == 0
    assert len(notification.remarks) == 4


def test_common_labels_are_never_taken_for_an_alerts_own() -> None:
    [alert] = read(wire(wire_alert(labels={"instance": "a"}))).alerts
    assert alert.labels == {"instance": "a"}


def test_usable_alerts_are_kept_and_the_others_are_named() -> None:
    notification = read(wire("x", wire_alert(), {}, wire_alert(status="data", endsAt="data"), status=None))
    assert len(notification.alerts) == 1
    assert [remark.split(":")[0] for remark in notification.remarks][:2] == ["alert 0 left out", "alert 2 left out"]


def test_an_alert_of_which_only_the_status_is_known_is_marked() -> None:
    [alert] = read(wire({"status": "firing"})).alerts
    assert alert.labels == {}
    assert "labels: there are none" in alert.remarks


def test_nothing_usable_names_each_bad_field_and_what_is_wanted() -> None:
    bad = {"status": "data", "labels": None, "annotations": 3, "startsAt": "data", "endsAt": "data", "fingerprint": "x"}
    found = problems(wire(bad, [], status="data"))
    assert '"firing" or "resolved"' in found["/alerts/0/status"]
    assert "time" in found["/alerts/0/startsAt"]
    assert found["/alerts/1"] == "wanted is an object, this is a list"


@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        (b"", "", "not JSON"),
        (b"{", "", "line 1, column 2"),
        (b"[1]", "", "this is a list"),
        (b"null", "", "this is null"),
        (b"[" * 100_000, "", "nested too deeply"),
        (b'{"alerts": ' + b"9" * 5000 + b"}", "", "too long"),
        (b'{"alerts": []}', "/alerts", "at least one alert"),
        (b'{"alerts": {}}', "/alerts", "there is an object"),
        (b'{"text": "hello"}', "/alerts", "custom payload"),
        (b'{"ruleUrl": "http://g", "state": "alerting"}', "/alerts", "Grafana's legacy alerting"),
    ],
)
def test_what_is_no_notification_is_told_which_shape_is_wanted(body: bytes, pointer: str, hint: str) -> None:
    assert hint in problems(body)[pointer]


def test_a_byte_order_mark_is_forgiven() -> None:
    assert read(b"\xef\xbb\xbf" + wire()).alerts


@pytest.mark.parametrize("text", ['"a\\u0000b"', '"a\\ud800b"', '"a\\udc00b"'])
def test_what_cannot_be_stored_is_replaced(text: str) -> None:
    body = wire(wire_alert(annotations={"summary": "HERE"})).replace(b'"HERE"', text.encode())
    assert read(body).alerts[0].annotations == {"summary": "a\ufffdb"}


def test_bytes_that_are_no_utf_8_are_replaced_with_a_remark() -> None:
    notification = read(wire().replace(b"disk of", b"\xff\xfe of"))
    assert "\ufffd" in notification.alerts[0].annotations["summary"]
    assert notification.remarks


def test_a_huge_annotation_is_cut_with_a_remark() -> None:
    [alert] = read(wire(wire_alert(annotations={"description": "<x>" * 2_000_000}))).alerts
    assert len(alert.annotations["description"]) == LIMITS.text
    assert "6000000 characters" in alert.remarks[0]


def test_ten_thousand_alerts_are_read() -> None:
    alerts = [wire_alert(fingerprint=f"{number:016x}") for number in range(10_000)]
    assert len(read(wire(*alerts)).alerts) == 10_000


def test_more_alerts_than_any_group_has_are_counted() -> None:
    alerts = [{"status": "firing", "fingerprint": str(number)} for number in range(LIMITS.alerts + 5)]
    notification = read(wire(*alerts))
    assert len(notification.alerts) == LIMITS.alerts
    assert notification.alerts_truncated == 5


def test_hostile_text_stays_text() -> None:
    hostile = {"alertname": "{{ 7*7 }}", "pod": "../../etc/passwd", "team": "<!channel>", "größe.x": "'; DROP TABLE a"}
    assert read(wire(wire_alert(labels=hostile))).alerts[0].labels == hostile


@pytest.mark.parametrize("sent", ["fedcba9876543210", None])
def test_secrets_in_annotations_are_hidden(sent: str | None) -> None:
    annotations = {"description": "password=hunter2 at https://anna:hunter3@db.example/x"}
    [alert] = read(wire(wire_alert(annotations=annotations, fingerprint=sent))).alerts
    assert "hunter" not in alert.annotations["description"]
    assert "db.example/x" in alert.annotations["description"]


def test_grafanas_fields_beside_alertmanagers_do_no_harm() -> None:
    alert = wire_alert(values=None, valueString="[ var='B' ]", silenceURL="http://g", orgId=1, generatorURL="?orgId=1")
    notification = read(wire(alert, version="1", orgId=1, state="alerting", title="x", routeLabels={"team": "a"}))
    assert notification.remarks == ()
    assert notification.alerts[0].generator_url == "?orgId=1"


def test_a_check_counts_what_would_be_read() -> None:
    resolved = wire_alert(status="resolved", endsAt="2026-03-04T02:59:00Z", fingerprint="b")
    clean = check(wire(wire_alert(), resolved))
    repaired = check(wire("x", wire_alert(fingerprint=None), resolved))
    assert (clean.firing, clean.resolved, clean.alerts) == (repaired.firing, repaired.resolved, repaired.alerts)
    assert (clean.firing, clean.resolved, clean.alerts) == (1, 1, 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["firing", ZERO]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ODD_ALERT = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(wire_alert(), JSON) | {"labels": st.dictionaries(st.text(), JSON, max_size=4)}
)
ODD_NOTIFICATION = st.fixed_dictionaries(
    {"alerts": st.lists(ODD_ALERT | JSON, max_size=3)},
    optional=dict.fromkeys(("receiver", "status", "groupKey", "groupLabels", "truncatedAlerts"), JSON),
)


@settings(max_examples=300, deadline=None)
@given(body=(JSON | ODD_NOTIFICATION).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200))
def test_any_body_is_read_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        notification = read(body)
    except BadPayload:
        assert problems(body)
        with pytest.raises(BadPayload):
            check(body)
    else:
        assert notification.alerts
        assert check(body).alerts == len(notification.alerts)
        for alert in notification.alerts:
            alert.starts_at.astimezone(UTC)
        assert Notification.model_validate_json(notification.model_dump_json()) == notification


LABELS = st.dictionaries(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=12), min_size=1, max_size=4)
TIMES = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=100, deadline=None)
@given(
    told=st.lists(st.tuples(LABELS, TIMES, st.booleans()), min_size=1, max_size=5, unique_by=lambda each: str(each[0]))
)
def test_what_a_sender_writes_is_what_is_read(told: list[tuple[dict[str, str], datetime, bool]]) -> None:
    alerts = [
        wire_alert(
            labels=labels,
            startsAt=at.isoformat(),
            status="firing" if firing else "resolved",
            endsAt=ZERO if firing else at.isoformat(),
            fingerprint=f"{number:016x}",
        )
        for number, (labels, at, firing) in enumerate(told)
    ]
    found = read(wire(*alerts)).alerts
    without_nul = [
        ({k.replace("\0", "\ufffd"): v.replace("\0", "\ufffd") for k, v in each[0].items()}) for each in told
    ]
    assert [alert.labels for alert in found] == without_nul
    assert [alert.starts_at for alert in found] == [at for _, at, _ in told]
    assert [alert.status is AlertStatus.FIRING for alert in found] == [firing for _, _, firing in told]


Expected = Callable[[Notification], bool]
EXPECTED: dict[str, Expected] = {
    "01": lambda n: (
        all(a.fingerprint == fingerprint(a.labels) for a in n.alerts) and n.alerts[0].key != n.alerts[1].key
    ),
    "02": lambda n: n.alerts[0].status is AlertStatus.FIRING and bool(n.alerts[0].remarks),
    "03": lambda n: len(n.alerts) == 3 and n.alerts[0].labels["namespace"] == "whatever/promstack",
    "04-prom2teams-without-mandatory": lambda n: n.alerts[0].name == "" and n.alerts[0].status is AlertStatus.RESOLVED,
    "04-prom2teams-with-common": lambda n: n.alerts[0].ends_at is not None and n.alerts[0].labels["pod_name"] != "",
    "04-prom2teams-without-fingerprint": lambda n: n.alerts[0].fingerprint == fingerprint(n.alerts[0].labels),
    "05-alerta-prometheus-v3": lambda n: n.group_key == "5615590933959184469",
    "05-alerta-prometheus-v4": lambda n: "{alertname}" in n.alerts[0].annotations["runbookGood"],
    "06": lambda n: n.group_key == "{}:{}" and len({a.key for a in n.alerts}) == 2,
    "07": lambda n: n.alerts[0].name == "TestAlert" and not n.alerts[0].starts_at_known,
    "08": lambda n: not n.alerts[0].starts_at_known and n.alerts[0].fingerprint == "fingerprint",
    "09": lambda n: n.alerts[0].generator_url == "" and n.alerts[0].summary == "Instance localhost:8081 down",
    "10": lambda n: n.alerts[0].generator_url == "?orgId=1" and n.remarks == (),
    "11": lambda n: len({a.key for a in n.alerts}) == 2,
    "12": lambda n: [a.status.value for a in n.alerts] == ["resolved", "resolved", "firing"],
    "13": lambda n: n.alerts[0].status is AlertStatus.RESOLVED and n.alerts[0].key == "57c6d9296de2ad39",
    "14": lambda n: bool(n.alerts[0].remarks) and n.alerts[0].labels == {},
    "16": lambda n: n.alerts[0].name == "Memory (copy)",
    "18": lambda n: n.alerts[0].name == "viable/strict is broken",
    "19": lambda n: n.receiver == "web.hook.prometheusalert",
    "20": lambda n: "receiver: none was sent" in n.remarks,
    "21": lambda n: len({a.key for a in n.alerts}) == 2 and len({a.fingerprint for a in n.alerts}) == 1,
    "22": lambda n: n.alerts[0].fingerprint == fingerprint(n.alerts[0].labels),
    "23": lambda n: n.alerts[0].status is AlertStatus.FIRING and n.group_labels == {} and n.alerts_truncated == 2,
    "24": lambda n: n.alerts_truncated == 123 and not n.alerts[0].starts_at_known,
    "26": lambda n: n.alerts[0].labels["job_name"] != "",
    "27": lambda n: n.remarks == (),
    "28": lambda n: len(n.alerts) == 2,
    "29": lambda n: n.alerts[0].name == "Watchdog",
    "30": lambda n: n.reason == "all alerts resolved",
    "31": lambda n: n.reason == "repeat interval elapsed",
    "33": lambda n: len(n.alerts) == 500 and n.alerts_truncated == 1500,
    "34": lambda n: n.alerts[0].labels["service.name"] == "checkout" and n.alerts[0].fingerprint == "ABCDEF0123456789",
}
REFUSED = ("15", "17", "25", "32")


@pytest.mark.parametrize("prefix", [*EXPECTED, *REFUSED])
def test_payloads_from_the_wild_are_handled_as_their_index_says(shared: Any, prefix: str) -> None:
    [path] = (shared / "alertmanager" / "payloads").glob(f"{prefix}*.json")
    if prefix in REFUSED:
        assert problems(path.read_bytes())
    else:
        assert EXPECTED[prefix](read(path.read_bytes()))


def test_everything_that_alertmanager_really_sent_needs_no_repair(shared: Any) -> None:
    seen = 0
    for path in sorted((shared / "alertmanager" / "recorded").glob("*.json")):
        recorded = json.loads(path.read_text())
        for item in recorded if isinstance(recorded, list) else []:
            body = item.get("request", {}).get("body")
            if not isinstance(body, dict) or "receiver" not in body:
                continue
            if not all(isinstance(alert, dict) and "fingerprint" in alert for alert in body["alerts"]):
                continue
            notification = read(json.dumps(body, ensure_ascii=False).encode())
            assert notification.remarks == ()
            for alert in notification.alerts:
                assert alert.remarks == (), path.name
                seen += 1
                if "…" not in str(alert.labels) and "more" not in str(alert.labels):
                    assert alert.fingerprint == fingerprint(alert.labels), path.name
    assert seen > 100
