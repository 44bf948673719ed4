"""The table of signatures: every entry fits what it is for, and nothing that another entry names better."""

from collections import Counter

import pytest
from pydantic import ValidationError

from responder import detectors
from responder.model.failures import FailureKind, failure
from responder.model.signatures import Signature, SignatureTable, shipped_signatures

TABLE = shipped_signatures()


def signature(**fields: object) -> Signature:
    return Signature.model_validate(
        {"id": "one", "pattern": "disk is full", "specificity": 5, "example": "x", **fields}
    )


@pytest.mark.parametrize("item", TABLE.signatures, ids=lambda item: item.id)
def test_each_signature_fits_its_example_and_no_other_names_another_cause_as_well(item: Signature) -> None:
    fitting = [other for other in TABLE.within(item.example) if set(other.where) & set(item.where)]
    assert item in fitting
    rivals = [other.id for other in fitting if other.cause != item.cause and other.specificity >= item.specificity]
    assert not rivals


def test_every_signature_names_a_cause_of_the_catalogue_or_a_kind_and_its_source() -> None:
    known = detectors.load().causes
    for item in TABLE.signatures:
        assert item.cause in known if item.cause else item.kind or item.specificity < 5, item.id
        assert item.source.startswith("https://"), item.id


def test_no_id_is_there_twice() -> None:
    assert [name for name, count in Counter(item.id for item in TABLE.signatures).items() if count > 1] == []


def test_every_pattern_has_a_word_by_which_a_text_without_it_is_passed_over() -> None:
    assert [item.id for item in TABLE.slow] == []


def test_a_log_without_any_of_it_has_no_hits() -> None:
    lines = ["GET /healthz 200 in 3 ms", "user 42 logged in", "cache warmed with 1000 entries", ""]
    assert list(TABLE.hits(lines)) == []


def test_hits_have_the_place_of_the_line_and_the_groups_of_the_pattern() -> None:
    table = SignatureTable([signature(pattern="no route to (?P<host>[a-z0-9-]+)"), signature(id="two")])
    found = [(hit.signature.id, hit.place, dict(hit.groups)) for hit in table.hits(["ok", "No route to db-0", "ok"])]
    assert found == [("one", 1, {"host": "db-0"})]


def test_a_table_without_entries_finds_nothing() -> None:
    assert list(SignatureTable([]).hits(["disk is full"])) == []


@pytest.mark.parametrize("pattern", ["(open", "(?=ahead)", "a*", "one||two"])
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match=r"is no RE2 pattern|fits everything"):
        signature(pattern=pattern)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("open /etc/app/settings.yaml: no such file or directory: configuration not found", FailureKind.MISSING_FILE),
        ('level=fatal msg="must set env (WATCH_NAMESPACE)"', FailureKind.MISSING_SETTING),
        ("Error: REDIS_URL must be set", FailureKind.MISSING_SETTING),
        ("/entrypoint.sh: line 4: DB_HOST: unbound variable", FailureKind.MISSING_SETTING),
        ("certificate expired on 2024-07-03 15:38:48", FailureKind.TLS),
        ("GET /settings 200", None),
        ("all properties are set", None),
    ],
)
def test_the_kind_of_a_failure_is_that_of_the_more_specific_words(text: str, kind: FailureKind | None) -> None:
    found = failure(text)
    assert (found.kind if found else None) == kind
