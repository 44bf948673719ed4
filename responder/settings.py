"""The process's settings: one YAML file, over it `RESPONDER_*` variables, secrets also from files.

Every key is also a variable: `RESPONDER_LISTEN`, `RESPONDER_PROMETHEUS__URL`, and for lists JSON:
`RESPONDER_SINKS='[{"name": "console", "kind": "log"}]'`. A secret `X` may be given as `X_file`; the file
is read again whenever it changes.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from responder.model.clusters import ClusterLabels
from responder.model.incident import Severity
from responder.model.ledger import FoldRules
from responder.model.record import Record
from responder.model.runbook import Duration
from responder.plugins import did_you_mean
from responder.settings_reading import build

MEBIBYTE = 1024 * 1024
LEVELS = ("debug", "info", "warning", "error", "critical")
FORMS = ("json", "console")
SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "env", "xargs", "python", "python3", "perl"})


SEVERITIES: Mapping[str, Severity] = {
    **dict.fromkeys(("critical", "page", "high"), Severity.P1),
    **dict.fromkeys(("error", "major", "warning", "medium"), Severity.P2),
    **dict.fromkeys(("minor", "low", "info", "none"), Severity.P3),
}
"""What the usual words of an alert's `severity` label mean."""


def _web(url: str) -> str:
    """An address of the web, without a slash at its end; raises ValueError."""
    if not url:
        return url
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not url.isprintable() or " " in url:
        raise ValueError(f"{_shown(url)!r} is no address of the web: write http:// or https://, then the host")
    return url.rstrip("/")


def _shown(url: str) -> str:
    """The address without a password that may be in it."""
    return re.sub(r"//[^/@]*@", "//", url)


class Section(Record):
    """A part of the settings; what stands under a field describes it."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Basic(Section):
    """A user of basic authentication."""

    username: str
    """Their name."""
    password: SecretStr | None = None
    """The password."""
    password_file: Path | None = None
    """A file that holds it, read again when it changes."""


class Auth(Section):
    """Who may post webhooks and read the pages. Empty: nobody is asked, and only loopback is listened on.

    Several tokens may be valid at once, so that they can be rotated. `hmac_secret` checks Grafana's
    `X-Grafana-Alerting-Signature`.
    """

    tokens: tuple[SecretStr, ...] = ()
    """Bearer tokens that are accepted."""
    token_files: tuple[Path, ...] = ()
    """Files that hold one bearer token each."""
    basic: tuple[Basic, ...] = ()
    """Users of basic authentication."""
    hmac_secret: SecretStr | None = None
    """The secret that signs the body."""
    hmac_secret_file: Path | None = None
    """A file that holds it."""
    hmac_header: str = "X-Grafana-Alerting-Signature"
    """The header that carries the signature."""
    hmac_timestamp_header: str = ""
    """The header that carries the signed time, where the sender is set to send it."""
    protect_pages: bool = True
    """Whether pages and JSON API ask too, not only the webhook."""
    allow_public: bool = False
    """Listen on a public address without asking anybody: something else guards it."""

    @property
    def configured(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.tokens or self.token_files or self.basic or self.hmac_secret or self.hmac_secret_file)


class Intake(Section):
    """Limits of the webhook."""

    max_bytes: int = 64 * MEBIBYTE
    """The largest body that is read; more is 413."""
    max_pending: int = 10_000
    """How many deliveries may wait for the disk; more is 503."""
    keep_rejected: int = 100
    """How many rejected bodies are kept to look at."""
    keep_bodies: Duration = timedelta(days=7)
    """How long accepted bodies are kept."""


class KubernetesSettings(Section):
    """A cluster's API: a kubeconfig (with context), the pod's own account, or a snapshot directory.

    `in_cluster` unset: used where a service account is mounted and nothing else is named.
    """

    kubeconfig: Path | None = None
    """A kubeconfig file."""
    context: str = ""
    """A context of it; empty: its current one."""
    in_cluster: bool | None = None
    """Whether to use the pod's own service account."""
    snapshot: Path | None = None
    """A directory of `kubectl get -o json` files, instead of a live API."""
    concurrency: int = Field(default=8, ge=1)
    """Requests in flight at most."""
    timeout: Duration = timedelta(seconds=10)
    """The longest that one request may take."""
    cache: Duration = timedelta(seconds=5)
    """How long an answer is used again."""
    max_items: int = Field(default=5000, ge=1)
    """Objects of one list that are read at most."""
    exec: dict[str, tuple[tuple[str, ...], ...]] = Field(default_factory=dict)
    """Commands that `kubernetes.exec` may run, by namespace: lists of arguments; `*` is any text in one of them."""

    @field_validator("exec")
    @classmethod
    def _no_shell(cls, rules: dict[str, tuple[tuple[str, ...], ...]]) -> dict[str, tuple[tuple[str, ...], ...]]:
        for rule in (rule for commands in rules.values() for rule in commands):
            if not rule or "*" in rule[0]:
                raise ValueError("a command of kubernetes.exec must begin with the name of its program")
            if Path(rule[0]).name in SHELLS and any("*" in word for word in rule):
                raise ValueError(f"kubernetes.exec: {rule[0]} with * would run anything")
        return rules


class PrometheusSettings(Section):
    """A Prometheus. `external_url` is what links use, where it differs from `url`."""

    url: str = ""
    """Its address."""
    external_url: str = ""
    """Its address for people, in links."""
    token: SecretStr | None = None
    """A bearer token to send."""
    token_file: Path | None = None
    """A file that holds it."""
    username: str = ""
    """For basic authentication."""
    password: SecretStr | None = None
    """For basic authentication."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """More headers to send, as `X-Scope-OrgID`."""
    concurrency: int = Field(default=8, ge=1)
    """Requests in flight at most."""
    timeout: Duration = timedelta(seconds=10)
    """The longest that one request may take."""
    cache: Duration = timedelta(seconds=5)
    """How long an answer is used again."""

    _http = field_validator("url", "external_url")(_web)


class AlertmanagerSettings(PrometheusSettings):
    """The Alertmanager that open incidents are reconciled with, and the timing of its route."""

    group_interval: Duration = timedelta(minutes=5)
    """The route's `group_interval`."""
    repeat_interval: Duration = timedelta(hours=4)
    """The route's `repeat_interval`: how long silence is no news."""
    reconcile_every: Duration = timedelta(minutes=1)
    """How often open incidents are compared with its API."""
    warm_up: Duration = timedelta(minutes=2)
    """How long after its start its list of alerts is not relied on: Prometheus tells it again only once a minute."""


class LokiSettings(PrometheusSettings):
    """A Loki, or its gateway. `external_url` is Grafana's: links lead to its Explore page."""

    datasource: str = "loki"
    """The name or uid of the Loki data source in Grafana, for links."""


class PostgresSettings(Section):
    """A PostgreSQL server, and the database to log in to. What `url` does not say the other keys do."""

    name: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]*$")
    """What runbooks call it."""
    url: SecretStr = SecretStr("")
    """`postgresql://user@host:5432/database?sslmode=require`; a password in it is never shown."""
    host: str = ""
    """Its host."""
    port: int = Field(default=5432, ge=1, le=65535)
    """Its port."""
    database: str = ""
    """The database to log in to; empty: the one with the user's name."""
    user: str = ""
    """The user to log in as; `pg_monitor` is all that it needs."""
    password: SecretStr | None = None
    """Their password."""
    password_file: Path | None = None
    """A file that holds it, read again when it changes."""
    ssl: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    """As libpq's `sslmode`."""
    ca_file: Path | None = None
    """The certificate authority to trust, for `verify-ca` and `verify-full`."""
    timeout: Duration = timedelta(seconds=8)
    """The longest that connecting and all statements of one question may take."""
    statement_timeout: Duration = timedelta(seconds=3)
    """The longest that the server works on one statement."""
    concurrency: int = Field(default=2, ge=1, le=2)
    """Connections at most; one is open only while it is asked."""
    cache: Duration = timedelta(seconds=5)
    """How long an answer is used again."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        url = self.url.get_secret_value()
        if not (url or self.host):
            raise ValueError("set url or host")
        if url and not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("url must start with postgresql://")
        return self


class RedisSettings(Section):
    """A Redis, Valkey or KeyDB server."""

    name: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]*$")
    """What runbooks call it."""
    url: SecretStr
    """`redis://host:6379`, or `rediss://` for TLS; a password in it is never shown."""
    username: str = ""
    """The user of its access list; empty: the default one."""
    password: SecretStr | None = None
    """Their password."""
    password_file: Path | None = None
    """A file that holds it, read again when it changes."""
    ca_file: Path | None = None
    """The certificate authority to trust, for `rediss://`."""
    timeout: Duration = timedelta(seconds=5)
    """The longest that connecting and all commands of one question may take."""
    concurrency: int = Field(default=2, ge=1, le=8)
    """Connections at most; one is open only while it is asked."""
    cache: Duration = timedelta(seconds=5)
    """How long an answer is used again."""

    @field_validator("url")
    @classmethod
    def _redis(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("must start with redis:// or rediss://")
        return url


class Cluster(Section):
    """One of several clusters, named by the alert's cluster label."""

    name: str
    """What it is called: the value of the alert's cluster label, where `labels` says nothing else."""
    labels: dict[str, str] = Field(default_factory=dict)
    """The labels of alerts that come from it, where one does not tell: `{cluster: main, environment: staging}`."""
    kubernetes: KubernetesSettings = Field(default_factory=KubernetesSettings)
    """The cluster's API."""
    prometheus: PrometheusSettings = Field(default_factory=PrometheusSettings)
    """The cluster's Prometheus."""
    alertmanager: AlertmanagerSettings = Field(default_factory=AlertmanagerSettings)
    """The cluster's Alertmanager, which its incidents are reconciled with; empty: the common one."""
    loki: LokiSettings = Field(default_factory=LokiSettings)
    """The cluster's Loki."""
    postgres: tuple[PostgresSettings, ...] = ()
    """The cluster's PostgreSQL servers, each with a `name` where there are several."""
    redis: tuple[RedisSettings, ...] = ()
    """The cluster's Redis servers, each with a `name` where there are several."""


class Incidents(Section):
    """How long a resolved incident can be reopened, and how long incidents are kept."""

    reopen_window: Duration = timedelta(minutes=30)
    """A re-fire within it reopens the incident, later it is a new one."""
    keep: Duration = timedelta(days=90)
    """How long resolved incidents are kept."""
    severities: dict[str, Severity] = Field(default_factory=lambda: dict(SEVERITIES))
    """What more words of the alert's `severity` label mean, where the runbook does not say: `{sev1: P0}`."""

    @field_validator("severities")
    @classmethod
    def _beside_the_usual(cls, severities: dict[str, Severity]) -> dict[str, Severity]:
        return {**SEVERITIES, **{word.strip().lower(): severity for word, severity in severities.items()}}


class Escalation(Section):
    """Who is told while nobody acknowledges an incident.

    A sink that is named under `contacts` is told of an incident only once one of its levels is reached.
    """

    policy: str = "default"
    """The name of the escalation policy in the rules; those that ship are `default` and `kubechat`."""
    contacts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Names of sinks by level of the policy."""


class Communication(Section):
    """Updates for a public status page."""

    publish: bool = False
    """Let them out as they are written; else each waits for somebody to publish it on the incident's page.

    That a review was written is in any case for a person to say.
    """


class Actions(Section):
    """What may be changed, and who has to agree. By default nothing is: actions are suggestions on the page.

    A runbook's own `mode` never goes beyond this.
    """

    allow: Literal["none", "approve", "auto"] = "none"
    """`approve`: once a person agreed. `auto`: also by itself, where a runbook says so and the finding is certain."""
    namespaces: tuple[str, ...] = ()
    """Where objects may be changed; empty is nowhere. `*` is everywhere, and for what has no namespace, as nodes."""
    kinds: tuple[str, ...] = ()
    """The kinds of [actions](actions.md) that are allowed; empty: all."""
    hourly_limit: int = Field(default=10, ge=0)
    """At most so many changes in any hour, of all incidents together."""
    cool_down: Duration = timedelta(minutes=15)
    """How long an object is left alone after it was changed."""
    approvers: tuple[str, ...] = ()
    """User names of `auth.basic` that may approve; empty: whoever may read the page, or got the message."""
    expires: Duration = timedelta(hours=1)
    """How long a proposal can be approved, and how long after that it can still be begun."""
    stop: bool = False
    """Change nothing at all, whatever else is set."""


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Hours(Section):
    """When a route is open: on these days, between these times of day; `22:00` to `06:00` goes past midnight."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    days: tuple[Day, ...] = Field(DAYS, min_length=1)
    """The days; of a time past midnight the day it begins on."""
    since: time = Field(time(0, 0), alias="from")
    """From this time of day."""
    until: time = Field(time(0, 0), alias="to")
    """To this time of day; `00:00` is the end of the day."""
    zone: str = "UTC"
    """The time zone, as `Europe/Berlin`."""

    @field_validator("zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{zone!r} is no time zone: write it as Europe/Berlin") from None
        return zone


class Route(Section):
    """Which incidents go to which sinks. The first route that fits is taken, and those after a `continue`.

    Matched are the labels that all alerts of the incident share, by their meaning (`namespace` is that of the broken
    thing, however it is spelled), with `runbook` and `cause` of the incident added as
    `responder_runbook` and `responder_cause`.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    match: tuple[str, ...] = ()
    """Alertmanager's matchers, `team="payments"`; all have to hold."""
    severity: tuple[Severity, ...] = ()
    """Only incidents of these severities; empty: all."""
    hours: tuple[Hours, ...] = ()
    """Only then; what happens outside of them is told when they begin, if it still burns."""
    sinks: tuple[str, ...]
    """The names of the sinks."""
    goes_on: bool = Field(False, alias="continue")
    """Whether the routes after it are looked at too."""


class Storms(Section):
    """When chats and mails get one message for many incidents in place of one for each."""

    after: int = Field(default=4, ge=1)
    """So many incidents within that time get messages of their own; the next ones share one."""
    within: Duration = timedelta(minutes=1)
    """That time; also how long a storm waits for one more incident."""


class Settings(BaseSettings):
    """Everything that `responder serve` can be told."""

    model_config = SettingsConfigDict(
        env_prefix="RESPONDER_", env_nested_delimiter="__", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    listen: str = "127.0.0.1:9095"
    """Host and port; `:9095` is all addresses."""
    external_url: str = ""
    """Where links in messages lead to, if not to `listen`."""
    host_names: tuple[str, ...] = ()
    """Other names by which browsers reach the pages, where nobody is asked for credentials."""
    database: str = "sqlite:///responder.db"
    """URL of the database."""
    rules: tuple[Path, ...] = ()
    """Folders of runbooks, read in this order after those that are shipped."""
    variables: dict[str, str] = Field(default_factory=dict)
    """What runbooks leave open, as addresses: see [runbooks](runbooks.md)."""
    auth: Auth = Field(default_factory=Auth)
    """Who may post webhooks and read the pages."""
    intake: Intake = Field(default_factory=Intake)
    """Limits of the webhook."""
    incidents: Incidents = Field(default_factory=Incidents)
    """When incidents reopen, and how long they are kept."""
    escalation: Escalation = Field(default_factory=Escalation)
    """Who is told while nobody acknowledges an incident."""
    communication: Communication = Field(default_factory=Communication)
    """Updates for a public status page."""
    actions: Actions = Field(default_factory=Actions)
    """What may be changed, and who has to agree."""
    kubernetes: KubernetesSettings = Field(default_factory=KubernetesSettings)
    """The cluster, where there is one."""
    prometheus: PrometheusSettings = Field(default_factory=PrometheusSettings)
    """Its Prometheus."""
    loki: LokiSettings = Field(default_factory=LokiSettings)
    """Its Loki."""
    postgres: tuple[PostgresSettings, ...] = ()
    """Its PostgreSQL servers, each with a `name` where there are several."""
    redis: tuple[RedisSettings, ...] = ()
    """Its Redis servers, each with a `name` where there are several."""
    clusters: tuple[Cluster, ...] = ()
    """The clusters, where there are several."""
    cluster_label: str | tuple[str, ...] = "cluster"
    """The label of an alert that names its cluster, or several that do together: `[cluster, environment, tenant]`."""
    alertmanager: AlertmanagerSettings = Field(default_factory=AlertmanagerSettings)
    """To notice what webhooks leave out; for clusters that have none of their own."""
    sinks: tuple[dict[str, Any], ...] = ({"name": "console", "kind": "log"},)
    """Where incidents are published: see [sinks](sinks.md)."""
    routes: tuple[Route, ...] = ()
    """Which incidents go where; empty: all to every sink."""
    storms: Storms = Field(default_factory=Storms)
    """How many messages are too many."""
    workers: int = Field(default=64, ge=1)
    """Jobs that run at the same time."""
    drain: Duration = timedelta(seconds=20)
    """How long work under way may take at shutdown."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`."""
    log_format: str = "json"
    """`json`, or `console` for people."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `listen`; `:9095` is all addresses."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104

    @property
    def names(self) -> frozenset[str]:
        """The hosts by which requests may mean us: those of `listen`, `external_url` and `host_names`."""
        own = (self.address[0], urlsplit(self.base_url).hostname or "", *self.host_names)
        return frozenset(name.lower() for name in own if name)

    @property
    def base_url(self) -> str:
        """Where links in messages lead to."""
        if self.external_url:
            return self.external_url.rstrip("/")
        host, port = self.address
        name = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
        return f"http://{name}:{port}"

    @property
    def root(self) -> str:
        """The path of `external_url`, under which everything is for people; empty at the top."""
        return urlsplit(self.base_url).path.rstrip("/")

    @property
    def cluster_labels(self) -> ClusterLabels:
        """How the labels of an alert name its cluster."""
        names = (self.cluster_label,) if isinstance(self.cluster_label, str) else self.cluster_label
        return ClusterLabels(names, {cluster.name: cluster.labels for cluster in self.clusters})

    @property
    def fold_rules(self) -> FoldRules:
        """What folding needs to know: of several Alertmanagers the slowest."""
        return FoldRules(
            group_interval=max(known.group_interval for known in self.alertmanagers),
            repeat_interval=max(known.repeat_interval for known in self.alertmanagers),
            reopen_window=self.incidents.reopen_window,
        )

    @property
    def alertmanagers(self) -> tuple[AlertmanagerSettings, ...]:
        """The common one, whether it has an address or not, and those of clusters."""
        return (self.alertmanager, *(known.alertmanager for known in self.clusters if known.alertmanager.url))

    _http = field_validator("external_url")(_web)

    @field_validator("database")
    @classmethod
    def _database(cls, url: str) -> str:
        file = url.removeprefix("sqlite:///")
        if file == url or not file or file.startswith("?"):
            raise ValueError(
                f"{_shown(url)!r} is not supported: write sqlite:///FILE, with a path from / sqlite:////FILE"
            )
        return url

    @field_validator("log_level", "log_format")
    @classmethod
    def _known_word(cls, word: str, info: ValidationInfo) -> str:
        known = LEVELS if info.field_name == "log_level" else FORMS
        if word.lower() not in known:
            raise ValueError(f"unknown {word!r}{did_you_mean(word.lower(), known)}; there is {', '.join(known)}")
        return word.lower()

    @field_validator("listen")
    @classmethod
    def _listen(cls, listen: str) -> str:
        port = listen.rpartition(":")[2]
        if ":" not in listen or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{listen!r} is not HOST:PORT")
        return listen

    @model_validator(mode="after")
    def _clusters_can_be_told_apart(self) -> Self:
        names = self.cluster_labels.names
        if not names or not all(names):
            raise ValueError("cluster_label: name at least one label")
        for cluster in self.clusters:
            if unknown := sorted(cluster.labels.keys() - set(names)):
                raise ValueError(
                    f"clusters: {cluster.name} has the label {unknown[0]!r}, which cluster_label does not list"
                )
        return self

    @model_validator(mode="after")
    def _known_approvers(self) -> Self:
        users = {user.username for user in self.auth.basic}
        if strangers := sorted(set(self.actions.approvers) - users):
            raise ValueError(f"actions.approvers: {strangers[0]!r} is no user of auth.basic, so nobody can prove it")
        return self

    @model_validator(mode="after")
    def _no_open_door(self) -> Self:
        host = self.address[0]
        try:
            local = ipaddress.ip_address(host).is_loopback
        except ValueError:
            local = host == "localhost"
        if not (local or self.auth.configured or self.auth.allow_public):
            raise ValueError(
                f"listen: {self.listen} can be reached by others and auth is empty: "
                "set auth.tokens or auth.basic, or auth.allow_public if something else guards it"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load(path: Path | None, **overrides: Any) -> Settings:
    """Read the file (if any) and the environment; raises ConfigError naming place and key of each mistake."""
    return build(Settings, path, overrides)
