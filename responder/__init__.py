"""Responder: the automated first responder for Prometheus and Alertmanager.

The flow, in the order of the packages that hold it:

    intake        a webhook is checked, stored and only then answered
    flow.fold     its alerts join the incidents they belong to
    flow.match    each incident has the runbook that answers its alerts
    flow.investigate   the runbook's steps ask their probes, all at once
    flow.diagnose      detectors turn the evidence into ranked findings
    flow.publish       every sink shows the incident as it stands now
    flow.verify        a resolved incident is checked before it is called fixed
"""

__version__ = "0.1.0"
