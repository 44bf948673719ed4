"""Writes the Grafana dashboards of `deploy/grafana` (schema version 39): `python -m scripts.dashboards`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "deploy" / "grafana"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24

Json = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One panel: queries by legend; `limit` is where it turns red, from below unless `low`."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    limit: float | None = None
    low: bool = False
    form: str = "timeseries"
    width: int = 8
    about: str = ""

    def thresholds(self) -> Json:
        """Green up to the limit and red from there, or the other way round."""
        if self.limit is None:
            return {"mode": "absolute", "steps": [{"color": "text", "value": None}]}
        below, above = ("red", "green") if self.low else ("green", "red")
        return {"mode": "absolute", "steps": [{"color": below, "value": None}, {"color": above, "value": self.limit}]}

    def document(self, number: int, place: Json) -> Json:
        """The panel as Grafana has it."""
        drawn = {"lineWidth": 2, "fillOpacity": 5, "showPoints": "never"}
        if self.limit is not None:
            drawn["thresholdsStyle"] = {"mode": "line"}
        return {
            "id": number,
            "type": self.form,
            "title": self.title,
            "description": self.about,
            "datasource": SOURCE,
            "gridPos": place,
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit,
                    "min": 0,
                    "noValue": "no data",
                    "thresholds": self.thresholds(),
                    **({"custom": drawn} if self.form == "timeseries" else {"color": {"mode": "thresholds"}}),
                },
                "overrides": [],
            },
            "options": _OPTIONS[self.form],
            "targets": [
                {
                    "refId": chr(ord("A") + place),
                    "datasource": SOURCE,
                    "expr": query,
                    "legendFormat": legend,
                    "editorMode": "code",
                    "range": self.form == "timeseries",
                    "instant": self.form != "timeseries",
                }
                for place, (legend, query) in enumerate(self.queries.items())
            ],
        }


@dataclass(frozen=True)
class Board:
    """A dashboard: rows of panels. `variables` are label values to choose, by name and query."""

    uid: str
    title: str
    about: str
    rows: Mapping[str, Sequence[Panel]]
    variables: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> Json:
        """The dashboard as Grafana has it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["responder"],
            "schemaVersion": 39,
            "version": 1,
            "editable": True,
            "timezone": "browser",
            "refresh": "1m",
            "time": {"from": "now-7d", "to": "now"},
            "annotations": {"list": [*_annotations()]},
            "links": [],
            "templating": {"list": [*_variables(self.variables)]},
            "panels": list(self._panels()),
        }

    def _panels(self) -> Iterator[Json]:
        number = top = 0
        for title, panels in self.rows.items():
            number += 1
            yield {
                "id": number,
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1},
            }
            top, left, height = top + 1, 0, 0
            for panel in panels:
                number += 1
                if left + panel.width > WIDTH:
                    top, left, height = top + height, 0, 0
                tall = 4 if panel.form == "stat" else 8
                yield panel.document(number, {"x": left, "y": top, "w": panel.width, "h": tall})
                left, height = left + panel.width, max(height, tall)
            top += height


_OPTIONS: Mapping[str, Json] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background",
        "graphMode": "none",
        "textMode": "auto",
    },
}


def _annotations() -> Iterator[Json]:
    """What the sink `grafana_annotations` writes, on every panel."""
    yield {
        "name": "Incidents",
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "target": {"type": "tags", "tags": ["responder"], "matchAny": False, "limit": 100},
    }


def _variables(queries: Mapping[str, str]) -> Iterator[Json]:
    yield {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "regex": "",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
    }
    for name, query in queries.items():
        yield {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": query, "refId": name},
            "definition": query,
            "regex": "",
            "current": {},
            "hide": 0,
            "includeAll": True,
            "multi": True,
            "options": [],
            "refresh": 2,
            "sort": 1,
        }


def _mean(metric: str, labels: str) -> str:
    chosen = f"{{{labels}}}"
    return f"sum(rate({metric}_sum{chosen}[$__range])) / sum(rate({metric}_count{chosen}[$__range]))"


def _quantile(metric: str, quantile: float = 0.95, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({quantile}, sum by ({labels}) (rate({metric}_bucket{{}}[$__rate_interval])))"


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{{}}[$__rate_interval]))"


_OUTAGE = '(sum(responder_incidents{severity="P0"}) or vector(0)) > bool 0'

RESPONDER = Board(
    uid="responder",
    title="Responder",
    about="The success metrics of incident response with their targets, and how Responder itself is.",
    rows={
        "Success": [
            Panel(
                "Time to detection, P0 and P1",
                {"mean": _mean("responder_time_to_detection_seconds", 'severity=~"P0|P1"')},
                "s",
                300,
                form="stat",
                width=4,
                about="From when the trouble began (before the rule's `for`) to the webhook. Target: less than 5 min.",
            ),
            Panel(
                "Time to acknowledgement, P0",
                {"mean": _mean("responder_time_to_acknowledgement_seconds", 'severity="P0"')},
                "s",
                900,
                form="stat",
                width=4,
                about="Target: less than 15 minutes, the response time of P0.",
            ),
            Panel(
                "Time to resolution, P0",
                {"mean": _mean("responder_time_to_resolution_seconds", 'severity="P0"')},
                "s",
                1800,
                form="stat",
                width=4,
                about="Target: less than 30 minutes.",
            ),
            Panel(
                "Time to resolution, P1",
                {"mean": _mean("responder_time_to_resolution_seconds", 'severity="P1"')},
                "s",
                14400,
                form="stat",
                width=4,
                about="Target: less than 4 hours.",
            ),
            Panel(
                "Availability",
                {"share of time": f"1 - avg_over_time(({_OUTAGE})[$__range:1m])"},
                "percentunit",
                0.999,
                low=True,
                form="stat",
                width=4,
                about="Share of the time in which no P0 was open: P0 is a complete outage. Target: more than 99.9 %.",
            ),
            Panel(
                "False alarms",
                {
                    "share": "clamp_max(sum(increase(responder_false_alarms_total{}[$__range])) "
                    "/ (sum(increase(responder_incidents_resolved_total{}[$__range])) > 0), 1)"
                },
                "percentunit",
                0.05,
                form="stat",
                width=4,
                about="Somebody said so, or it ended by itself without evidence. Target: less than 5 %.",
            ),
            Panel(
                "Time to resolution by severity",
                {"{{severity}}": _quantile("responder_time_to_resolution_seconds", 0.5, "severity")},
                "s",
            ),
            Panel(
                "Time to acknowledgement by severity",
                {"{{severity}}": _quantile("responder_time_to_acknowledgement_seconds", 0.5, "severity")},
                "s",
            ),
            Panel(
                "First word and finding",
                {
                    "first word, 95 %": _quantile("responder_time_to_first_word_seconds"),
                    "finding, 95 %": _quantile("responder_time_to_finding_seconds"),
                },
                "s",
            ),
        ],
        "Incidents and escalation": [
            Panel("Open", {"{{severity}} {{status}}": "sum by (severity, status) (responder_incidents{})"}),
            Panel(
                "Opened and resolved",
                {
                    "opened {{severity}}": _rate("responder_incidents_opened_total", "severity"),
                    "resolved {{severity}}": _rate("responder_incidents_resolved_total", "severity"),
                },
                "cps",
            ),
            Panel(
                "Escalations",
                {
                    "{{severity}} {{level}}": "sum by (severity, level) (increase(responder_escalations_total{}[1h]))",
                    "{{severity}} not acknowledged in time": "sum by (severity) "
                    "(increase(responder_responses_missed_total{}[1h]))",
                },
            ),
            Panel(
                "Procedures and public updates",
                {
                    "step {{state}}": "sum by (state) (increase(responder_procedure_steps_total{}[1h]))",
                    "public: {{state}}": "sum by (state) (increase(responder_public_updates_total{}[1h]))",
                },
            ),
            Panel("What people say of findings", {"{{verdict}}": _rate("responder_feedback_total", "verdict")}, "cps"),
            Panel(
                "Alerts that no runbook claims",
                {"unmatched": "sum(increase(responder_alerts_unmatched_total{}[1h]))"},
            ),
        ],
        "Intake": [
            Panel("Deliveries", {"{{outcome}}": _rate("responder_notifications_total", "outcome")}, "reqps"),
            Panel(
                "From request to answer",
                {
                    "95 %": _quantile("responder_intake_seconds"),
                    "99 %": _quantile("responder_intake_seconds", 0.99),
                },
                "s",
                1,
            ),
            Panel("Stored and not folded", {"deliveries": "max(responder_fold_backlog{})"}),
        ],
        "Investigations": [
            Panel("Probes", {"{{probe}}": _quantile("responder_step_seconds", by="probe")}, "s"),
            Panel("Probes by outcome", {"{{status}}": _rate("responder_step_seconds_count", "status")}, "cps"),
            Panel("Findings", {"{{cause}}": "sum by (cause) (increase(responder_findings_total{}[1h]))"}),
            Panel("Detectors", {"{{detector}}": _quantile("responder_detector_seconds", by="detector")}, "s"),
            Panel(
                "Detectors that failed",
                {"{{detector}}": "sum by (detector) (increase(responder_detector_failures_total{}[1h]))"},
                limit=1,
            ),
            Panel(
                "Rules",
                {"newest in use": "min(responder_rules_loaded{})", "runbooks": "max(responder_runbooks{})"},
            ),
        ],
        "Outbox and sinks": [
            Panel("Waiting", {"{{sink}}": "max by (sink) (responder_outbox_depth{})"}),
            Panel(
                "Deliveries",
                {"{{sink}} {{outcome}}": _rate("responder_sink_deliveries_total", "sink, outcome")},
                "cps",
            ),
            Panel("Time to deliver", {"{{sink}}": _quantile("responder_sink_seconds", by="sink")}, "s"),
        ],
        "Queue": [
            Panel("Jobs that wait or run", {"{{kind}}": "max by (kind) (responder_queue_jobs{})"}),
            Panel("Oldest due job", {"seconds": "max(responder_queue_oldest_seconds{})"}, "s", 60),
            Panel(
                "Finished",
                {"{{kind}} {{outcome}}": _rate("responder_queue_finished_total", "kind, outcome")},
                "cps",
            ),
        ],
        "Clients": [
            Panel(
                "Requests",
                {"{{client}} {{outcome}}": _rate("responder_client_requests_total", "client, outcome")},
                "reqps",
            ),
            Panel("Time to answer", {"{{client}}": _quantile("responder_client_seconds", by="client")}, "s"),
            Panel(
                "Answered without a request",
                {"{{client}} {{how}}": _rate("responder_client_shared_total", "client, how")},
                "cps",
            ),
        ],
    },
)

_IN = 'namespace=~"$namespace"'
KUBECHAT = Board(
    uid="kubechat",
    title="KubeChat: key metrics",
    about="The guide's key metrics, each with its threshold. Needs the recording rules of rules/alerts/kubechat.yaml.",
    variables={"namespace": "label_values(namespace:http_requests:rate5m, namespace)"},
    rows={
        "Services": [
            Panel(
                "API gateway: response time, 95 %",
                {"{{namespace}}": f"namespace:http_request_duration_seconds:p95_5m{{{_IN}}}"},
                "s",
                0.5,
                about="Threshold: more than 500 ms.",
            ),
            Panel(
                "API gateway: WebSocket connections that succeed",
                {"{{namespace}}": f"namespace:websocket_connections:success_ratio_5m{{{_IN}}}"},
                "percentunit",
                0.95,
                low=True,
                about="Threshold: less than 95 %.",
            ),
            Panel(
                "NLP service: processing time, 95 %",
                {"{{namespace}}": f"namespace:nlp_processing_duration_seconds:p95_5m{{{_IN}}}"},
                "s",
                2,
                about="Threshold: more than 2000 ms.",
            ),
            Panel(
                "Audit service: events stored a minute",
                {"{{namespace}}": f"namespace:audit_events_ingested:permin_5m{{{_IN}}}"},
                "short",
                100,
                low=True,
                about="Threshold: less than 100 events a minute.",
            ),
            Panel(
                "PostgreSQL: connections in use",
                {"{{namespace}}": f"namespace:postgres_connections:utilization{{{_IN}}}"},
                "percentunit",
                0.8,
                about="Threshold: more than 80 %.",
            ),
            Panel(
                "NLP service: requests that wait",
                {"{{namespace}}": f"max by (namespace) (nlp_request_queue_depth{{{_IN}}})"},
            ),
        ],
        "Infrastructure": [
            Panel(
                "Restarts within an hour",
                {
                    "{{pod}} {{container}}": "topk(10, round(increase(kube_pod_container_status_restarts_total"
                    f"{{{_IN}}}[1h])) > 0)"
                },
                "short",
                5,
                about="Threshold: more than 5 restarts an hour.",
            ),
            Panel(
                "Memory, of the limit",
                {"{{pod}} {{container}}": f"topk(10, namespace_pod_container:memory_working_set:utilization{{{_IN}}})"},
                "percentunit",
                0.85,
                about="Threshold: more than 85 %.",
            ),
            Panel(
                "Volumes, of their size",
                {"{{persistentvolumeclaim}}": f"topk(10, namespace_persistentvolumeclaim:volume:utilization{{{_IN}}})"},
                "percentunit",
                0.9,
                about="Threshold: more than 90 %.",
            ),
        ],
        "Traffic and errors": [
            Panel("Requests", {"{{namespace}}": f"namespace:http_requests:rate5m{{{_IN}}}"}, "reqps"),
            Panel(
                "Requests answered with 5xx",
                {"{{namespace}}": f"namespace:http_requests:error_ratio_5m{{{_IN}}}"},
                "percentunit",
            ),
            Panel(
                "Availability of the API gateway",
                {"{{namespace}}": f"avg_over_time(namespace:http_requests:availability{{{_IN}}}[$__range])"},
                "percentunit",
                0.999,
                low=True,
                form="stat",
                about="Share of requests without 5xx, over time; 0 while the gateway is gone. Target: > 99.9 %.",
            ),
        ],
    },
)

BOARDS: Mapping[str, Board] = {"responder.json": RESPONDER, "kubechat.json": KUBECHAT}


def text(board: Board) -> str:
    """The file of a dashboard."""
    return json.dumps(board.document(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for name, board in BOARDS.items():
        (FOLDER / name).write_text(text(board), encoding="utf-8")


if __name__ == "__main__":
    main()
