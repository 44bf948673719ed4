"""How KubeChat behaves: its load and how well it copes, healthy and under each fault."""

import math
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Latency:
    """A log-normal distribution: half of the requests take up to `median` seconds."""

    median: float
    spread: float = 0.6

    def share_within(self, seconds: float) -> float:
        """The share of requests that take no longer."""
        return 0.5 * (1 + math.erf(math.log(seconds / self.median) / (self.spread * math.sqrt(2))))

    @property
    def mean(self) -> float:
        """The average in seconds."""
        return self.median * math.exp(self.spread**2 / 2)


@dataclass(frozen=True)
class Behaviour:
    """Rates are per second over all pods, shares between 0 and 1, CPU in cores and memory in MiB a pod."""

    requests: float = 48
    latency: Latency = field(default_factory=lambda: Latency(0.045))
    failing: float = 0.002
    handshakes: float = 6
    handshakes_failing: float = 0.004
    sessions: float = 1240
    translations: float = 3
    translation: Latency = field(default_factory=lambda: Latency(0.55, 0.4))
    queue: float = 1
    audited: float = 32
    cpu: float = 0.135
    throttled: float = 0.01
    memory: float = 186
    connections: Mapping[str, float] = field(
        default_factory=lambda: {"api-gateway": 14, "audit-service": 16, "nlp-service": 3, "kubechat-operator": 1}
    )
    redis: bool = True
    restarts: bool = False


HEALTHY = Behaviour()

FAULTS: Mapping[str, Behaviour] = {
    "crash_loop": replace(
        HEALTHY, requests=22, failing=0.11, handshakes_failing=0.03, sessions=310, cpu=0.18, memory=232, restarts=True
    ),
    "high_response_time": replace(
        HEALTHY, requests=152, latency=Latency(0.88, 0.5), failing=0.004, sessions=3650, cpu=0.494, throttled=0.83
    ),
    "websocket_failures": replace(
        HEALTHY, requests=41, failing=0.004, handshakes=21, handshakes_failing=0.93, sessions=70, redis=False
    ),
    "database_issues": replace(
        HEALTHY,
        latency=Latency(0.21, 1.1),
        failing=0.19,
        audited=9,
        connections={"api-gateway": 4, "audit-service": 92, "nlp-service": 1, "kubechat-operator": 0},
    ),
}


class Totals:
    """Counters that grow as the behaviour of the moment says."""

    def __init__(self) -> None:
        self.behaviour = HEALTHY
        self.seconds: dict[str, float] = defaultdict(float)
        self.counts: dict[str, float] = defaultdict(float)
        self.within: dict[str, list[float]] = {name: [0.0] * len(BUCKETS) for name in ("http", "nlp")}
        self._chance = random.Random(7)  # noqa: S311
        self._age = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._age += seconds
        now = self.behaviour
        requests = now.requests * seconds * self._wave()
        handshakes = now.handshakes * seconds * self._wave()
        translations = now.translations * seconds * self._wave()
        for name, count, latency in (("http", requests, now.latency), ("nlp", translations, now.translation)):
            self.counts[name] += count
            self.seconds[name] += count * latency.mean
            for index, bound in enumerate(BUCKETS):
                self.within[name][index] += count * latency.share_within(bound)
        self.counts["http_failed"] += requests * now.failing
        self.counts["handshakes"] += handshakes
        self.counts["handshakes_failed"] += handshakes * now.handshakes_failing
        self.counts["audited"] += now.audited * seconds * self._wave()

    def wavering(self, value: float) -> float:
        """A value of the moment, as a gauge shows it."""
        return value * self._wave()

    def _wave(self) -> float:
        return 1 + 0.05 * math.sin(self._age / 9) + self._chance.uniform(-0.03, 0.03)
