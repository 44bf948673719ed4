"""The database, and the settings of those that call it."""

# ruff: noqa: E501 - messages as they are written

from tests.insurer import lines
from tests.insurer.fault import DB, container, fault, fresh, set_env
from tests.insurer.system import System


@fault("mysql-invalid-credentials", "fails to start")
def _(system: System, app: str) -> None:
    pod = fresh(system, app)
    system.crashing(app)
    system.say(
        pod, app, lines.no_login("Access denied for user 'insurer'@'10.244.2.31' (using password: YES)"), previous=True
    )


@fault("mysql-invalid-credentials", "stays up, never ready")
def _(system: System, app: str) -> None:
    pod = fresh(system, app)
    system.not_ready(app)
    for ago in (120, 80, 40):
        system.say(
            pod, app, lines.no_login("Access denied for user 'claims'@'10.244.2.31' (using password: NO)"), ago=ago
        )


@fault("mysql-invalid-credentials", "at run time, by a pool that retries")
def _(system: System, app: str) -> None:
    pod = fresh(system, app)
    system.say(
        pod,
        app,
        [
            lines.spring(
                "WARN",
                "HikariPool-1 - Pool is empty, failed to create/setup connection",
                "com.zaxxer.hikari.pool.HikariPool",
                "HikariPool-1 connection adder",
            ),
            *lines.failed(
                lines.spring("ERROR", "Connection is not available"),
                "org.springframework.transaction.CannotCreateTransactionException: Could not open JPA EntityManager for transaction",
                "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms.",
                "java.sql.SQLException: Access denied for user 'root'@'10.244.2.31' (using password: YES)",
            ),
        ],
        ago=30,
    )


@fault("mysql-invalid-port", "in the log alone")
def _(system: System, app: str) -> None:
    pod = fresh(system, app)
    system.crashing(app)
    system.say(pod, app, lines.refused_by_mysql(), ago=60, previous=True)


@fault("mysql-invalid-port", "it times out")
def _(system: System, app: str) -> None:
    pod = fresh(system, app)
    system.not_ready(app)
    system.say(pod, app, lines.refused_by_mysql("java.net.SocketTimeoutException: connect timed out"), ago=60)


@fault("mysql-invalid-port", "in a variable")
def _(system: System, app: str) -> None:
    set_env(system, app, "SPRING_DATASOURCE_URL", "jdbc:mysql://db:3307/claim?useSSL=false")
    pod = fresh(system, app)
    system.crashing(app)
    system.say(pod, app, lines.refused_by_mysql(), ago=60, previous=True)


@fault("mysql-invalid-port", "in a variable of its own, the host in a secret")
def _(system: System, app: str) -> None:
    set_env(system, app, "CLAIM_MYSQL_PORT", "13306")
    pod = fresh(system, app)
    system.crashing(app)
    system.say(pod, app, lines.refused_by_mysql(), ago=60, previous=True)


@fault("db-connection-exhaustion", "callers are turned away", **DB)
def _(system: System, app: str) -> None:
    for core in ("claim", "payment", "quote"):
        name = system.style.name(core)
        pod = fresh(system, name)
        system.crashing(name)
        system.say(
            pod,
            name,
            lines.no_login(
                'Data source rejected establishment of connection,  message from server: "Too many connections"'
            ).__class__(
                line.replace("java.sql.SQLException", "java.sql.SQLNonTransientConnectionException")
                for line in lines.no_login(
                    'Data source rejected establishment of connection,  message from server: "Too many connections"'
                )
            ),
            previous=True,
        )


@fault("db-connection-exhaustion", "by its own setting, and one caller at run time", **DB)
def _(system: System, app: str) -> None:
    system.get("ConfigMap", "db-config")["data"]["my.cnf"] = "[mysqld]\nmax_connections = 5\n"
    pod = system.pod_name(app)
    system.say(pod, app, lines.statement_fails("Too many connections", "com.mysql.cj.exceptions.CJException"), ago=20)


@fault("db-connection-exhaustion", "by an argument alone", **DB)
def _(system: System, app: str) -> None:
    container(system, "db", "StatefulSet")["args"] = ["--max-connections=10"]


_READ_ONLY = "The MySQL server is running with the --read-only option so it cannot execute this statement"


@fault("db-read-only", "a writer says so", **DB)
def _(system: System, app: str) -> None:
    system.say(system.pod_name(app), app, lines.statement_fails(_READ_ONLY), ago=20)
    for core in ("audit", "user", "policy", "invoice", "schedule", "payment-refund"):
        other = system.style.name(core)
        said = lines.statement_fails(_READ_ONLY.replace("--read-only", "--super-read-only"))
        system.say(system.pod_name(other), other, said, ago=25)


@fault("db-read-only", "an argument alone", **DB)
def _(system: System, app: str) -> None:
    container(system, "db", "StatefulSet")["args"] = ["--read-only=1"]


@fault("db-read-only", "the config map", **DB)
def _(system: System, app: str) -> None:
    system.get("ConfigMap", "db-config")["data"]["my.cnf"] = "[mysqld]\nsuper_read_only=ON\n"
    system.say(system.pod_name(app), app, lines.statement_fails(_READ_ONLY), ago=20)
