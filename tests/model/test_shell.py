"""What is shown for pasting runs as it reads, and holds no secret."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.model.shell import redact_command

HOSTILE = st.text(
    st.sampled_from("ab'\"\\$(){}|;&<>`*?~! \t\n=-/.:#%") | st.characters(codec="utf-8", exclude_characters="\0"),
    max_size=40,
)
SECRETS = st.sampled_from(
    ["password=hunter2", "password=''", 'token: "x', "secret='", "api_key=", "https://u:p@h/", "Bearer ABC123DEF="]
)


def pasted(command: str) -> list[str]:
    """The words that a shell makes of a command."""
    script = f"set -- {command}\nprintf '%s\\0' \"$@\""
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, timeout=60)
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def test_a_label_that_mixes_a_secret_with_quotes_runs_nothing() -> None:
    label = "v=\"password=''$(touch /tmp/run-by-a-label)a\""
    assert pasted(redact_command(shlex.join(["kubectl", "get", "pods", "-l", label])))[:4] == [
        "kubectl",
        "get",
        "pods",
        "-l",
    ]


@given(st.lists(st.tuples(HOSTILE, SECRETS, HOSTILE).map("".join), min_size=1, max_size=2))
def test_a_shell_reads_as_many_words_as_there_were(words: list[str]) -> None:
    command = redact_command(shlex.join(["kubectl", *words]))
    assert shlex.split(command)[0] == "kubectl"
    assert len(shlex.split(command)) == len(words) + 1
    assert len(pasted(command)) == len(words) + 1


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("psql -X postgresql://me:hunter2@db/shop", "psql -X 'postgresql://[redacted]@db/shop'"),
        ("tool --password hunter2 --verbose", "tool --password '[redacted]' --verbose"),
        ("kubectl -n shop logs api-1 | grep -P -- 'a | b; c'", "kubectl -n shop logs api-1 | grep -P -- 'a | b; c'"),
        ("redis-cli PING; redis-cli INFO", "redis-cli PING; redis-cli INFO"),
        ("kubectl get secret db", "kubectl get secret db"),
    ],
)
def test_secrets_go_and_the_rest_stays(command: str, shown: str) -> None:
    assert redact_command(command) == shown
