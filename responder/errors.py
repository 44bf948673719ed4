"""The errors of Responder.

ResponderError
├── ConfigError        the settings or a rule are wrong: says file, place and what to do
└── Trouble            something outside did not work; carries a Reason
    ├── Temporary      worth another try, after a pause
    └── Permanent      trying again changes nothing
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why something outside did not work. Closed: also the metric label `reason`."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    BAD_REQUEST = "bad_request"
    BAD_ANSWER = "bad_answer"
    TOO_LARGE = "too_large"
    NOT_CONFIGURED = "not_configured"
    BREAKER_OPEN = "breaker_open"
    DEADLINE = "deadline"
    BUG = "bug"


class ResponderError(Exception):
    """The base of all errors that Responder raises on purpose."""


class ConfigError(ResponderError):
    """The settings or a rule are wrong; the message says where and what to do."""


class Trouble(ResponderError):
    """Something outside did not work."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class Temporary(Trouble):
    """Worth another try; `after` is the pause in seconds that the other side asked for."""

    def __init__(self, message: str, reason: Reason, after: float | None = None) -> None:
        super().__init__(message, reason)
        self.after = after


class Permanent(Trouble):
    """Trying again changes nothing until somebody changes something."""
