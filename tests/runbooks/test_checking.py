"""What `responder check` says of the options of actions before anything happens."""

from typing import Any

import pytest

from responder.actions import load
from responder.runbooks.checking import option_problems

KINDS = load()


@pytest.mark.parametrize(
    ("kind", "options", "problem"),
    [
        ("kubernetes.scale", {"replicas": 0}, "0 replicas are not between 1 (min) and 10 (max)"),
        ("kubernetes.scale", {"replicas": 12, "max": 11}, "12 replicas are not between 1 (min) and 11 (max)"),
        ("kubernetes.scale", {"target": "{{ target.workload }}", "replicas": 0}, "0 replicas are not between"),
        ("kubernetes.scale", {"replicas": 0, "min": 0}, ""),
        ("kubernetes.scale", {"replicas": "{{ labels.wanted }}"}, ""),
        ("kubernetes.set_resources", {"limit": "5Gi"}, "5Gi is more than 4Gi (max)"),
        ("kubernetes.set_resources", {"limit": "900m", "resource": "cpu", "max": "500m"}, "900m is more than 500m"),
        ("kubernetes.set_resources", {"limit": "5Gi", "max": "6Gi"}, ""),
    ],
)
def test_what_its_bounds_forbid_is_found_by_the_check(kind: str, options: dict[str, Any], problem: str) -> None:
    found = [message for _, message in option_problems(KINDS.find(kind), options)]
    if problem:
        assert len(found) == 1
        assert problem in found[0]
    else:
        assert found == []
