"""What is shown of PostgreSQL's statements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.model.sql import masked


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT 1", "SELECT ?"),
        ("ALTER USER a PASSWORD 'it''s' -- note\n VALID UNTIL 'x'", "ALTER USER a PASSWORD ? VALID UNTIL ?"),
        ("SELECT $$it's$$, $t$ 'x' $t$, E'a\\'b', $1 /* c */ FROM t1", "SELECT ?, ?, ?, $1 FROM t1"),
        ('SELECT "a\'b" FROM x WHERE n IN (1.5e3, -2)', 'SELECT "a\'b" FROM x WHERE n IN (?, -?)'),
        ("SELECT 'cut off", "SELECT ?"),
    ],
)
def test_statements_are_shown_without_their_values(statement: str, shown: str) -> None:
    assert masked(statement) == shown


@given(st.text())
def test_no_text_of_a_statement_is_ever_shown(text: str) -> None:
    quoted = text.replace("'", "''").replace("\x00", "")
    assert masked(f"SELECT '{quoted}' FROM goods") == "SELECT ? FROM goods"
