"""What a test of a runbook may say (`apiVersion: responder/v1`, `kind: RunbookTest`)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints, model_validator

from responder.errors import Reason
from responder.model.evidence import EvidenceStatus
from responder.model.finding import Confidence
from responder.model.incident import Severity
from responder.model.record import Record
from responder.model.runbook import Duration, Metadata, StepId

Pattern = Annotated[str, StringConstraints(min_length=1)]
"""A regular expression that has to be found somewhere in the text."""


class GivenAlert(Record):
    """An alert that fires, and for how long already."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str] = Field(default_factory=dict)
    since: Duration = timedelta(minutes=5)


class GivenEvidence(Record):
    """The answer to one step, or the trouble that it had."""

    status: EvidenceStatus = EvidenceStatus.OK
    reason: Reason | None = None
    summary: str = ""
    facts: tuple[str, ...] = ()
    value: float | None = None
    breached: bool | None = None
    shape: str = ""
    data: Mapping[str, JsonValue] = Field(default_factory=dict)


class ExpectedFinding(Record):
    """What is expected of a finding; what is left out does not matter. `subject` is `deployment/NAME`."""

    cause: str
    subject: str = ""
    confidence: Confidence | None = None
    headline: Pattern = "^"
    because: tuple[Pattern, ...] = ()


class Expected(Record):
    """What is expected of the report: the findings in their order (more may follow), `[]` for none at all."""

    runbook: str = ""
    severity: Severity | None = None
    findings: tuple[ExpectedFinding, ...] | None = None
    cleared: tuple[Pattern, ...] = ()
    unseen: tuple[Pattern, ...] = ()


class RunbookTest(Record):
    """Given these alerts, this recorded cluster and this evidence, these findings are expected.

    `snapshot` is a directory of `kubectl get … -o json` files, as of `now`; `recording` a report as
    `responder investigate --save` writes it, with alerts and evidence. Paths start at the test's own file.
    Evidence that is given takes the place of what its step would see; what else a step needs is not configured.
    """

    api_version: Literal["responder/v1"] = Field(alias="apiVersion")
    kind: Literal["RunbookTest"]
    metadata: Metadata
    now: AwareDatetime | None = None
    alerts: tuple[GivenAlert, ...] = ()
    snapshot: str = ""
    recording: str = ""
    evidence: Mapping[StepId, GivenEvidence] = Field(default_factory=dict)
    expect: Expected

    @model_validator(mode="after")
    def _has_alerts(self) -> Self:
        if bool(self.alerts) == bool(self.recording):
            raise ValueError("write either 'alerts', or 'recording', which has alerts of its own")
        return self
