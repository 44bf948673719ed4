"""Target: where an investigation looks, by the runbook's templates over the labels, else by the labels alone."""

from collections.abc import Sequence

from responder.errors import ConfigError
from responder.model.incident import AlertState, TrackedAlert
from responder.model.labels import target_of
from responder.model.runbook import Runbook
from responder.model.subject import Target
from responder.templating import render_text
from responder.templating.escaping import Language


def target_of_alerts(runbook: Runbook, tracked: Sequence[TrackedAlert], cluster_label: str) -> Target:
    """The target of the incident's alerts. What differs between alerts that fire is left out, save by the runbook.

    A template that gives no valid name leaves the field as the labels have it.
    """
    firing = [alert for alert in tracked if alert.state is not AlertState.RESOLVED] or list(tracked)
    found = [target_of(alert.labels, cluster_label).model_dump() for alert in firing]
    common = {
        name: value for name, value in (found[0] if found else {}).items() if all(o[name] == value for o in found)
    }
    labels = dict(firing[0].labels) if firing else {}
    annotations = dict(firing[0].annotations) if firing else {}
    context = {"labels": labels, "annotations": annotations, "target": common}
    for name, template in runbook.target:
        language = Language.PLAIN if name == "cluster" else Language.NAME
        try:
            if template and (value := render_text(template, language, context)):
                common[name] = value
        except ConfigError:
            continue
    return Target(**common)
