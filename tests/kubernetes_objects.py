"""Objects as an API server may answer them: fields absent, null, empty or zero, lists in any order, words cut short."""

from random import Random
from typing import Any

from tests.kubernetes_schema import CLUSTER_WIDE, KINDS, METADATA, NAMES, Names, Shape

ABSENT = object()
OFTEN = (*KINDS, *("Pod", "Event") * 6, *("Deployment", "ReplicaSet", "Service") * 2)
"""The kinds to draw from: what most rules look at more often."""
EMPTY: dict[type, Any] = {str: "", int: 0, float: 0, bool: False}
CARELESS = (0.0, 0.05, 0.3, 0.7)
"""How often a field of an object is not there, null or empty: some are whole, others nearly bare."""


def cluster(random: Random, most: int = 60) -> list[dict[str, Any]]:
    """The objects of a cluster, each with a name of its own within its kind."""
    found = {}
    for _ in range(random.randint(1, most)):
        made = an_object(random, random.choice(OFTEN))
        found[made["kind"], made["metadata"]["name"]] = made
    return list(found.values())


def an_object(random: Random, kind: str) -> dict[str, Any]:
    """An object of a kind; what the API server never leaves out are its kind and name, and its namespace."""
    careless = random.choice(CARELESS)
    placed = {} if kind in CLUSTER_WIDE else {"namespace": random.choice(("shop", "shop", "shop", "kube-system"))}
    metadata = {**_filled(random, METADATA, careless), **placed, "name": random.choice(NAMES)}
    return {"apiVersion": "v1", "kind": kind, **_filled(random, KINDS[kind], careless), "metadata": metadata}


def _filled(random: Random, shape: Shape, careless: float) -> Any:
    if isinstance(shape, tuple):
        chosen = random.choice(shape)
        if isinstance(chosen, str) and len(chosen) > 20 and random.random() < careless:
            return chosen[: random.randrange(len(chosen))]
        return chosen
    if isinstance(shape, list):
        return [_filled(random, shape[0], careless) for _ in range(random.choice((0, 1, 1, 2, 3)))]
    if isinstance(shape, Names):
        return {name: _filled(random, inner, careless) for name, inner in shape.items() if random.random() >= careless}
    return {name: value for name, inner in shape.items() if (value := _maybe(random, inner, careless)) is not ABSENT}


def _maybe(random: Random, shape: Shape, careless: float) -> Any:
    """What a field holds; `ABSENT` where it is not there at all."""
    if random.random() >= careless:
        return _filled(random, shape, careless)
    if isinstance(shape, tuple):
        return random.choice((ABSENT, ABSENT, None, EMPTY[type(shape[0])]))
    return random.choice((ABSENT, None, [] if isinstance(shape, list) else {}))
