"""What a command in a container said."""

from responder.model.evidence import Shape


class CommandAnswer(Shape):
    """How a command ended; `code` is None where it did not start, `error` says why. Output is cut and redacted."""

    namespace: str
    pod: str
    container: str
    command: tuple[str, ...]
    code: int | None
    stdout: str = ""
    stderr: str = ""
    error: str = ""
