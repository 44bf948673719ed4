"""What the name of a pod or a job tells of its owner: controllers make names of their own and a suffix. Pure.

Deployments add the hash of their template, replica sets five random letters, stateful sets a number, cron jobs the
time that a run was due, indexed jobs a number and five letters.
"""

import re

_LETTER = "[bcdfghjklmnpqrstvwxz2456789]"  # k8s.io/apimachinery/pkg/util/rand leaves out vowels and 0, 1, 3
_OF_DEPLOYMENT = re.compile(rf"(?P<owner>.+)-{_LETTER}{{6,10}}-{_LETTER}{{5}}")
_REPLICA_SET = re.compile(rf"(?P<owner>.+)-{_LETTER}{{6,10}}")
_RANDOM = re.compile(rf"(?P<owner>.+)-{_LETTER}{{5}}")
_NUMBERED = re.compile(r"(?P<owner>.+)-\d+")
_RUN = re.compile(r"(?P<owner>.+)-(?P<due>\d{8}|\d{10})")
_MINUTES = range(23_000_000, 100_000_000)
"""Minutes since 1970 from 2013 on, before there was a cron job; a date as 20261130 is none."""
_SECONDS = range(1_400_000_000, 2_000_000_000)
"""Seconds since 1970, as Kubernetes before 1.21 wrote them; a date with a counter as 2026113001 is none."""


def owner_of_pod(pod: str) -> str:
    """`deployment/NAME`, `statefulset/NAME` or `cronjob/NAME`; only NAME where several kinds name pods so."""
    if found := _RANDOM.fullmatch(pod):
        if cron_job := cron_job_of(found["owner"]):
            return f"cronjob/{cron_job}"
        if deployed := _OF_DEPLOYMENT.fullmatch(pod):
            return f"deployment/{deployed['owner']}"
        indexed = _NUMBERED.fullmatch(found["owner"])
        return indexed["owner"] if indexed else found["owner"]
    if found := _NUMBERED.fullmatch(pod):
        return f"statefulset/{found['owner']}"
    return pod


def cron_job_of(job: str) -> str:
    """The name of the cron job that made the job, or empty."""
    found = _RUN.fullmatch(job)
    if found is None:
        return ""
    due = int(found["due"])
    return found["owner"] if due in (_MINUTES if len(found["due"]) == 8 else _SECONDS) else ""


def deployment_of(replica_set: str) -> str:
    """The name of the deployment that made the replica set, or empty."""
    found = _REPLICA_SET.fullmatch(replica_set)
    return found["owner"] if found else ""
