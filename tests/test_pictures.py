"""Charts as PNG."""

import math

import pytest

from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.model.evidence import Chart, Series, Threshold
from responder.model.message import Picture
from responder.pictures import Gallery
from responder.signing import Signer
from tests.makers import NOW

PICTURE = stages(NOW, Addresses("https://responder.example", Signer("key")))["diagnosed"].pictures[0]


@pytest.mark.integration
async def test_a_chart_is_drawn_once_and_remembered() -> None:
    gallery = Gallery()
    drawn = await gallery.draw(PICTURE)
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) < 200_000
    assert await gallery.draw(PICTURE) is drawn


@pytest.mark.parametrize(
    "chart",
    [
        Chart(query="x", start=NOW, end=NOW),
        Chart(query="x", series=(Series(labels={}, points=((0, math.nan),)),), start=NOW, end=NOW),
        Chart(
            query="x",
            series=(Series(labels={"_a": "$x^$", "b": "<>&"}, points=((0, 1), (1, 1e300))),),
            start=NOW,
            end=NOW,
        ),
        Chart(
            query="x",
            series=tuple(Series(labels={"pod": f"p{n}"}, points=((n, float(n)),)) for n in range(20)),
            threshold=Threshold(operator=">", value=math.inf),
            start=NOW,
            end=NOW,
        ),
    ],
    ids=["empty", "not a number", "markup", "many"],
)
@pytest.mark.filterwarnings("ignore:Attempting to set identical")
def test_whatever_the_series_are_there_is_a_picture(chart: Chart) -> None:
    plot = pytest.importorskip("responder.plot", reason="matplotlib is not installed")
    assert plot.render(Picture(title="a $ title\n", chart=chart, started_at=NOW)).startswith(b"\x89PNG")
