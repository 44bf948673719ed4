"""The demo evaluates the shipped alerts, only faster."""

from responder.demo.rules import hastened, shipped


def test_windows_and_holds_are_cut_and_nothing_else() -> None:
    rule = {
        "alert": "Slow",
        "expr": "rate(x[5m]) > 0.5 and y[10s] and z[1h:1m] offset 5m",
        "for": "10m",
        "labels": {"a": "b"},
    }
    (group,) = hastened({"groups": [{"name": "g", "interval": "1m", "rules": [rule]}]})["groups"]
    assert group["interval"] == "1s"
    assert group["rules"] == [
        {
            "alert": "Slow",
            "expr": "rate(x[15s]) > 0.5 and y[10s] and z[15s:1m] offset 5m",
            "for": "2s",
            "labels": {"a": "b"},
        }
    ]


def test_the_alerts_are_the_shipped_ones() -> None:
    names = [[rule.get("alert") for rule in group["rules"]] for group in shipped()["groups"]]
    assert names == [[rule.get("alert") for rule in group["rules"]] for group in hastened(shipped())["groups"]]
