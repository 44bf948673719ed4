"""Which cluster an alert comes from: one label says so, or several together (`cluster`, `environment`). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from responder.model.scraped import PRINTABLE
from responder.model.spellings import spelled


@dataclass(frozen=True)
class ClusterLabels:
    """The labels that tell environments apart, and the clusters of the settings with the labels that name each.

    A cluster without labels is named by the value of any of them.
    """

    names: tuple[str, ...] = ("cluster",)
    clusters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def values(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        """What the labels say of the environment, in the order of `names`."""
        found = {name: labels[name] for name in self.names if PRINTABLE.fullmatch(labels.get(name, ""))}
        first = self.names[0]
        if first not in found and (others := _opentelemetry(labels)):
            return {first: others[0], **found}
        return found

    def cluster(self, labels: Mapping[str, str]) -> str:
        """The cluster's name in the settings, else the values together: `eu-1/staging`."""
        values = self.values(labels)
        fitting = [name for name, wanted in self.clusters.items() if wanted and wanted.items() <= values.items()]
        if fitting:
            return max(fitting, key=lambda name: len(self.clusters[name]))
        named = (value for value in values.values() if value in self.clusters and not self.clusters[value])
        return next(named, "/".join(values.values()))


ONE_LABEL = ClusterLabels()
"""Where the settings say nothing: the label `cluster`."""


def _opentelemetry(labels: Mapping[str, str]) -> list[str]:
    """The values of `k8s.cluster.name` and its like."""
    found = spelled(labels).get("cluster", {})
    return [value for family in sorted(found) for value in found[family] if PRINTABLE.fullmatch(value)]
