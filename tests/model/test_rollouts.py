"""What is told of a workload's revisions."""

from responder.model.rollouts import told
from tests.makers import NOW


def test_a_workload_without_revisions_such_as_a_job_has_no_history_to_tell() -> None:
    assert not list(told([], NOW))
