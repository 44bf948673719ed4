"""The texts by which well-known failures are recognised: of libraries, drivers, servers and kernels."""

from collections.abc import Mapping
from enum import StrEnum


class FailureKind(StrEnum):
    """What kind of failure a text reports."""

    REFUSED = "connection refused"
    TIMED_OUT = "timed out"
    NO_SUCH_HOST = "name does not resolve"
    UNREACHABLE = "no route"
    RESET = "connection reset"
    TLS = "TLS failed"
    WRONG_PROTOCOL = "wrong protocol"
    AUTHENTICATION = "authentication failed"
    TOO_MANY_CONNECTIONS = "too many connections"
    POOL_EXHAUSTED = "connection pool exhausted"
    READ_ONLY = "read-only"
    OUT_OF_MEMORY = "out of memory"
    DISK_FULL = "disk full"
    READ_ONLY_FILES = "read-only file system"
    ADDRESS_IN_USE = "address already in use"
    PERMISSION = "permission denied"
    MISSING_SETTING = "setting missing"
    MISSING_FILE = "file missing"
    NO_SUCH_DATABASE = "no such database"
    TOO_MANY_FILES = "too many open files"
    EXEC_FORMAT = "wrong architecture"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline exceeded"
    SERVER_ERROR = "server error"


_SETTING = r"\b(?:environment variable|env(?: var)?|setting|configuration|config|property)\b"
_CANNOT = r"(?:failed to|unable to|cannot|can't|could not|couldn't)"
# The first that fits counts: what is more specific stands first.
PHRASES: Mapping[FailureKind, tuple[str, ...]] = {
    FailureKind.TOO_MANY_CONNECTIONS: (
        r"too many connections",
        r"too many clients already",
        r"max(?:imum)? number of clients reached",
        r"ER_CON_COUNT",
        r"remaining connection slots are reserved",
        r"\b53300\b",
        r"max_user_connections",
        r"too many open connections",
        r"error 1040\b",
    ),
    FailureKind.READ_ONLY: (
        r"(?:read-only|super-read-only|innodb_read_only)\b.{0,60}option",
        r"(?:cannot execute|cannot write).{0,80}read-only",
        r"server is running with the --read-only",
        r"read-only transaction",
        r"READONLY You can't write",
        r"(?:database|table|replica|node) is (?:in )?read[- ]?only",
        r"ER_OPTION_PREVENTS_STATEMENT",
        r"error 1290\b",
        r"error 1836\b",
        r"\bnot (?:master|primary)\b",
        r"NotWritablePrimary",
        r"\b25006\b",
    ),
    FailureKind.READ_ONLY_FILES: (r"read-only file system", r"\bEROFS\b"),
    FailureKind.AUTHENTICATION: (
        r"access denied for user",
        r"password authentication failed",
        r"authentication (?:failed|failure|error)",
        r"auth(?:entication)? failed",
        r"\bNOAUTH\b",
        r"\bWRONGPASS\b",
        r"invalid (?:username|password|credentials|user name)",
        r"ER_ACCESS_DENIED",
        r'role "[^"]*" does not exist',
        r"error 1045\b",
        r"invalid username-password pair",
        r"\b401 unauthorized",
        r"login failed for user",
        r"SASL.{0,40}fail",
        r"code = Unauthenticated",
        r"status_?code\.UNAUTHENTICATED",
        r"ACCESS_REFUSED",
        r"\b28P01\b",
        r"Exception authenticating MongoCredential",
        r"is not allowed to connect to this (?:MySQL|MariaDB) server",
    ),
    FailureKind.NO_SUCH_DATABASE: (
        r"unknown database",
        r'database "[^"]*" does not exist',
        r"ER_BAD_DB",
        r"error 1049\b",
    ),
    FailureKind.NO_SUCH_HOST: (
        r"no such host",
        r"\bNXDOMAIN\b",
        r"name or service not known",
        r"temporary failure in name resolution",
        r"\bgetaddrinfo\b",
        r"\bENOTFOUND\b",
        r"\bEAI_AGAIN\b",
        r"unknownhost",
        r"unknown host",
        r"nodename nor servname",
        r"server misbehaving",
        r"name does not resolve",
        r"name resolution fail",
        r"dns resolution fail",
        rf"{_CANNOT} resolve (?:the )?(?:host|name|address|dns|domain|endpoint|server|['\"])",
        r"domain name not found",
        r"UnresolvedAddressException",
        r"unknown mysql server host",
        r"could not translate host name",
        r"no address associated with hostname",
        r"host not found",
    ),
    FailureKind.TLS: (
        r"x509:",
        r"certificate (?:verify|has expired|is not (?:yet )?valid|signed by unknown|required|unknown)",
        r"tls: ",
        r"SSLHandshake",
        r"ssl handshake",
        r"CERTIFICATE_VERIFY_FAILED",
        r"PKIX path",
        r"self[- ]signed certificate",
        r"sslv3 alert",
        r"tls handshake (?:error|fail)",
        r"unable to (?:verify|get local issuer)",
        r"DEPTH_ZERO_SELF_SIGNED",
    ),
    FailureKind.WRONG_PROTOCOL: (
        r"malformed HTTP",
        r"HTTP/1\.x transport connection broken",
        r"server gave HTTP response to HTTPS client",
        r"plain HTTP request was sent to HTTPS",
        r"bad request version",
        r"frame too large",
        r"http2: .{0,60}(?:preface|frame)",
        r"first record does not look like a TLS handshake",
        r"wrong version number",
        r"unsupported protocol",
        r"invalid HTTP",
        r"received HTTP/0\.9",
        r"Received HTTP/0\.9",
        r"invalid greeting",
        r"protocol error",
        r"parse error: (?:expected|invalid) http",
        r"packets out of order",
        r"unexpected packet",
        r"malformed (?:communication )?packet",
        r"bad handshake",
        r"\bpreface\b",
        r"invalid character .{0,20}looking for beginning",
        r"invalid request from",
        r"Communications protocol violation",
    ),
    FailureKind.ADDRESS_IN_USE: (
        r"address already in use",
        r"\bEADDRINUSE\b",
        r"port \d+ (?:was |is )?already in use",
        r"only one usage of each socket",
    ),
    FailureKind.OUT_OF_MEMORY: (
        r"OutOfMemoryError",
        r"out of memory",
        r"cannot allocate memory",
        r"\bENOMEM\b",
        r"heap limit",
        r"Java heap space",
        r"\bMemoryError\b",
        r"std::bad_alloc",
        r"GC overhead limit",
        r"OOM command not allowed",
        r"allocation failed",
    ),
    FailureKind.DISK_FULL: (
        r"no space left on device",
        r"\bENOSPC\b",
        r"disk (?:is )?full",
        r"disk quota exceeded",
        r"could not extend file",
    ),
    FailureKind.TOO_MANY_FILES: (r"too many open files", r"\bEMFILE\b", r"\bENFILE\b"),
    FailureKind.EXEC_FORMAT: (r"exec format error",),
    FailureKind.PERMISSION: (
        r"permission denied",
        r"\bEACCES\b",
        r"\bEPERM\b",
        r"operation not permitted",
        r"java\.nio\.file\.AccessDeniedException",
        r"PermissionError",
        r"not writable",
        r"read access denied",
        r"can't open .{0,60}for writing",
    ),
    FailureKind.MISSING_SETTING: (
        rf"{_SETTING}.{{0,60}}(?:not (?:set|defined|found)|is (?:required|empty)|missing|undefined|must be set|unset)",
        rf"(?:missing|required|undefined|unset) (?:required )?{_SETTING}",
        r"could not resolve placeholder",
        r"KeyError: '[A-Z][A-Z0-9_]+'",
    ),
    FailureKind.MISSING_FILE: (
        r"no such file or directory",
        r"\bENOENT\b",
        r"FileNotFound",
        r"cannot find module",
        r"module not found",
        r"ModuleNotFoundError",
        r"ClassNotFoundException",
        r"could not find or load main class",
        r"NoClassDefFoundError",
        r"executable file not found",
    ),
    FailureKind.REFUSED: (
        r"connection refused",
        r"\bECONNREFUSED\b",
        r"actively refused",
        r"connect: refused",
        r"failed to connect to server \[ECONN",
    ),
    FailureKind.UNREACHABLE: (
        r"no route to host",
        r"network is unreachable",
        r"host is unreachable",
        r"\bEHOSTUNREACH\b",
        r"\bENETUNREACH\b",
        r"NoRouteToHost",
        r"host unreachable",
    ),
    FailureKind.POOL_EXHAUSTED: (
        r"connection is not available, request timed out",
        r"pool (?:is )?exhausted",
        r"unable to acquire (?:a )?connection",
        r"timeout (?:exceeded )?(?:when|while|waiting) (?:trying to )?(?:acquir|for idle|for (?:a )?connection)",
        r"QueuePool limit",
        r"could not get a resource",
        r"connection pool (?:is )?full",
        r"resource pool exhausted",
        r"pool error timeout",
    ),
    FailureKind.RESET: (
        r"connection reset",
        r"\bECONNRESET\b",
        r"broken pipe",
        r"\bEPIPE\b",
        r"connection (?:was )?closed",
        r"socket hang up",
        r"unexpected EOF",
        r"\bEOF\b",
        r"server closed the connection",
        r"transport is closing",
        r"connection aborted",
        r"lost connection",
        r"server has gone away",
        r"upstream prematurely closed",
        r"reset before headers",
        r"Communications link failure",
    ),
    FailureKind.DEADLINE: (r"deadline[_ ]?exceeded", r"DEADLINE_EXCEEDED", r"DeadlineExceeded"),
    FailureKind.TIMED_OUT: (
        r"timed[ -]?out",
        r"i/o timeout",
        r"\bETIMEDOUT\b",
        r"timeout(?:exception|error)?\b.{0,40}(?:exceeded|expired|reached|waiting|after|connect)",
        r"TimeoutException",
        r"TimeoutError",
        r"ReadTimeout",
        r"ConnectTimeout",
        r"upstream request timeout",
        r"\b504 gateway",
        r"context canceled",
    ),
    FailureKind.UNAVAILABLE: (
        r"code = Unavailable",
        r"StatusCode\.UNAVAILABLE",
        r"UNAVAILABLE: ",
        r"Code ?14\b",
        r"14 UNAVAILABLE",
        r"no healthy upstream",
        r"\b503 service",
        r"connect failed",
        r"failed to connect",
        r"could not connect",
        r"can't connect",
        r"cannot connect",
        r"unable to connect",
        r"No servers? (?:available|were found)",
        r"service unavailable",
        r"load balancer does not (?:have|contain) an? (?:available|instance)",
        r"(?:failed to obtain|could not (?:get|open)) (?:a )?jdbc connection",
        r"unable to find instance for",
    ),
    FailureKind.SERVER_ERROR: (
        r"\b(?:500|502) (?:internal|bad gateway)",
        r"code = (?:Internal|Unknown|Unimplemented)",
        r"internal server error",
        r"bad gateway",
        r"StatusCode\.(?:INTERNAL|UNKNOWN|UNIMPLEMENTED)",
    ),
}
