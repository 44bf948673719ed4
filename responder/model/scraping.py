"""What Prometheus scrapes, and which alerts Alertmanager has."""

from collections.abc import Mapping

from pydantic import AwareDatetime, Field

from responder.model.evidence import Shape
from responder.model.record import Record


class ScrapeTarget(Record):
    """One target that is down: its labels, and Prometheus' words about the last scrape."""

    job: str
    instance: str
    error: str
    url: str = ""
    labels: Mapping[str, str] = Field(default_factory=dict)
    at: AwareDatetime | None = None


class ScrapeTargets(Shape):
    """The targets of a Prometheus. `up` and `down` are numbers by job; `failing` are those that are down, cut."""

    up: Mapping[str, int] = Field(default_factory=dict)
    down: Mapping[str, int] = Field(default_factory=dict)
    unknown: int = 0
    failing: tuple[ScrapeTarget, ...] = ()


class AlertGroup(Record):
    """Alerts of one name, severity and namespace. `suppressed` are those that are silenced or inhibited."""

    name: str
    severity: str = ""
    namespace: str = ""
    active: int = 0
    suppressed: int = 0
    since: AwareDatetime | None = None
    summary: str = ""


class FiringAlerts(Shape):
    """What else fires: the alerts that Alertmanager has, without those of the incident itself."""

    groups: tuple[AlertGroup, ...] = ()
    active: int = 0
    suppressed: int = 0
    own: int = 0
