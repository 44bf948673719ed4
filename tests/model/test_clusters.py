"""Clusters are told apart by one label or by several, as the settings say."""

import pytest

from responder.errors import ConfigError
from responder.settings import Settings, load


def test_one_label_may_be_written_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().cluster_labels.names == ("cluster",)
    monkeypatch.setenv("RESPONDER_CLUSTER_LABEL", "k8s_cluster")
    assert Settings().cluster_labels.names == ("k8s_cluster",)


def test_several_labels_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPONDER_CLUSTER_LABEL", '["cluster", "tenant"]')
    assert Settings().cluster_labels.names == ("cluster", "tenant")


def test_a_cluster_that_no_alert_can_name_is_refused() -> None:
    clusters = [{"name": "staging", "labels": {"environment": "staging"}}]
    with pytest.raises(ConfigError, match="'environment', which cluster_label does not list"):
        load(None, clusters=clusters)
    assert load(None, clusters=clusters, cluster_label=["cluster", "environment"]).clusters


@pytest.mark.parametrize("label", ["", [], ["cluster", ""]])
def test_no_label_at_all_is_refused(label: object) -> None:
    with pytest.raises(ConfigError, match="name at least one label"):
        load(None, cluster_label=label)


def test_of_several_alertmanagers_the_slowest_counts() -> None:
    clusters = [{"name": "eu", "alertmanager": {"url": "http://am.eu:9093", "group_interval": "9m"}}]
    assert load(None, clusters=clusters).fold_rules.group_interval.total_seconds() == 540
