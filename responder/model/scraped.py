"""Whose labels they are: a scrape adds its own, and an exporter reports on others than itself. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from responder.model.spellings import EXPORTED, FAMILIES, PLAIN, spelled

NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
SHORT_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]{1,253}")
REPORTER = re.compile(
    r"(?P<state>kube[-_]?state[-_]?metrics)"
    r"|(?P<node>(?:node|windows)[-_]?exporter|^nodes?$|^integrations/(?:unix|node_exporter|windows)$)"
    r"|(?P<kubelet>kubelet|cadvisor|^kubernetes-nodes)"
    r"|(?P<probe>blackbox)"
    r"|(?P<exporter>exporter|pushgateway)",
    re.IGNORECASE,
)


class Scraped:
    """The labels of one alert by what they name, those of the scrape told from those of the broken thing."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        self.things = spelled(labels)

    def first(self, thing: str, valid: re.Pattern[str] = NAME, without: Collection[str] = ()) -> str:
        """The first possible value of a thing, in whichever spelling but those left out."""
        if thing not in self.things:
            return ""
        values = (self.within(family, thing, valid) for family in self.families if family not in without)
        return next(filter(None, values), "")

    def within(self, family: str, thing: str, valid: re.Pattern[str] = NAME) -> str:
        """The first possible value of a thing in one spelling."""
        values = self.things.get(thing, {}).get(family, ())
        return next((value for value in values if valid.fullmatch(value)), "")

    def possible(self, label: str, valid: re.Pattern[str] = NAME) -> str:
        """The value of one label, or nothing where it is impossible."""
        value = self.labels.get(label, "")
        return value if valid.fullmatch(value) else ""

    @cached_property
    def reporter(self) -> str:
        """Whose scrape it is: `state`, `node`, `kubelet`, `probe`, another `exporter`, or empty.

        Only a scrape has a job: where an aggregation dropped it, what is left belongs to the broken thing.
        """
        if "job" not in self.labels:
            return ""
        for label in ("job", "service", "kubernetes_name"):
            if found := REPORTER.search(self.labels.get(label, "")):
                return found.lastgroup or ""
        return ""

    @cached_property
    def families(self) -> Sequence[str]:
        """The spellings, those in which the scrape names itself last."""
        return sorted(FAMILIES, key=self.own.__contains__) if self.own else FAMILIES

    @cached_property
    def own(self) -> frozenset[str]:
        """The spellings in which the scrape names itself, that is the exporter."""
        if not self.reporter:
            return frozenset()
        return frozenset(family for family in FAMILIES if family != EXPORTED and self._names_exporter(family))

    def _names_exporter(self, family: str) -> bool:
        if pod := self.within(family, "pod"):
            return self._is_exporter(pod, self.within(family, "container"))
        service = self.within(family, "service")
        return bool(REPORTER.search(service)) if service else family == PLAIN

    def _is_exporter(self, pod: str, container: str) -> bool:
        if self.reporter in ("node", "probe"):
            return True
        if self.reporter == "kubelet":
            return False
        # only kube-state-metrics' series of a pod have its uid, and only where labels are honoured
        honoured = "uid" in self.labels and EXPORTED not in self.things.get("pod", {})
        if honoured and pod == self.labels.get("pod"):
            return False
        service = self.labels.get("service", "")
        if service and pod.startswith(f"{service}-"):
            return True
        return bool(REPORTER.search(pod)) or (self.reporter == "state" and bool(REPORTER.search(container)))
