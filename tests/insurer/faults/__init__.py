"""What can be done to the system: each fault breaks a copy of it, and says what is to be named.

The kubelet's, the scheduler's and the API server's messages are those of Kubernetes 1.28 to 1.31.
"""

from tests.insurer.fault import Fault, known
from tests.insurer.faults import admission, databases, nodes, performance, routing, runtime, scheduling, startup

__all__ = ["admission", "databases", "faults", "nodes", "performance", "routing", "runtime", "scheduling", "startup"]


def faults() -> list[Fault]:
    """All of them."""
    return known()
