"""What programs write: Spring Boot, HikariCP, MySQL's Connector/J, Nacos, nginx and MySQL itself.

Formats: Spring Boot's reference ("Logging", "Failure Analyzers"), HikariCP's `HikariPool` and `PoolBase`, Connector/J's
`CommunicationsException` and the server error messages of the MySQL manual, nginx's error and access logs.
"""

# ruff: noqa: E501 - messages as they are written

FRAMES = """\
\tat org.springframework.beans.factory.support.AbstractAutowireCapableBeanFactory.createBean(AbstractAutowireCapableBeanFactory.java:542) ~[spring-beans-5.3.22.jar!/:5.3.22]
\tat org.springframework.boot.SpringApplication.run(SpringApplication.java:308) ~[spring-boot-2.7.3.jar!/:2.7.3]
\tat java.base/java.lang.reflect.Method.invoke(Method.java:566) ~[na:na]""".splitlines()
MORE = "\t... 42 common frames omitted"


def spring(level: str, text: str, logger: str = "c.a.i.Service", thread: str = "nio-8080-exec-3") -> str:
    """A line of Spring Boot's default pattern."""
    return f"2026-03-04 02:58:{sum(map(ord, text)) % 60:02d}.{len(text) % 1000:03d} {level:>5} 1 --- [{thread:>15}] {logger:<40} : {text}"


def failed(head: str, *causes: str) -> list[str]:
    """An error with its exception and the causes of that."""
    first, *rest = causes
    lines = [head, "", *first.split("\n"), *FRAMES]
    for cause in rest:
        lines += [*f"Caused by: {cause}".split("\n"), *FRAMES[1:], MORE]
    return lines


def started(name: str, port: int, seconds: int = 84) -> list[str]:
    """A service that comes up."""
    return [
        "  .   ____          _            __ _ _",
        spring("INFO", f"Starting {name} v1.4.2 using Java 11.0.16 on {name} with PID 1", "c.a.i.Application", "main"),
        spring("INFO", 'The following 1 profile is active: "prod"', "c.a.i.Application", "main"),
        spring(
            "WARN",
            "spring.jpa.open-in-view is enabled by default. Therefore, database queries may be performed during view rendering.",
            "JpaBaseConfiguration$JpaWebConfiguration",
            "main",
        ),
        spring("INFO", "HikariPool-1 - Start completed.", "com.zaxxer.hikari.HikariDataSource", "main"),
        spring(
            "INFO",
            f"Tomcat started on port(s): {port} (http) with context path ''",
            "o.s.b.w.embedded.tomcat.TomcatWebServer",
            "main",
        ),
        spring(
            "INFO",
            f"Started Application in {seconds}.21 seconds (JVM running for {seconds + 3}.9)",
            "c.a.i.Application",
            "main",
        ),
    ]


def noise(name: str) -> list[str]:
    """What a healthy service writes all day: business errors, refused logins, warnings of libraries."""
    return [
        spring("INFO", f"[{name}] handled request in 12 ms"),
        spring(
            "WARN",
            "HikariPool-1 - Thread starvation or clock leap detected (housekeeper delta=45s612ms).",
            "com.zaxxer.hikari.pool.HikariPool",
            "HikariPool-1 housekeeper",
        ),
        *failed(
            spring(
                "ERROR",
                "Servlet.service() for servlet [dispatcherServlet] in context with path [] threw exception [Request processing failed; nested exception is java.lang.IllegalStateException: Policy 1045 is closed] with root cause",
                "o.a.c.c.C.[.[.[/].[dispatcherServlet]",
            ),
            "java.lang.IllegalStateException: Policy 1045 is closed",
        ),
        spring(
            "ERROR",
            "org.springframework.security.access.AccessDeniedException: Access is denied",
            "o.s.s.w.a.ExceptionTranslationFilter",
        ),
        spring("WARN", "org.springframework.security.authentication.BadCredentialsException: Bad credentials"),
        spring(
            "WARN",
            "Failed to resolve argument 0 of type 'java.lang.Long'",
            "o.s.w.s.m.m.a.HandlerMethodArgumentResolver",
        ),
        spring("WARN", "Resource not found: customer 3306 in tenant 8080"),
        spring("ERROR", "quote 7781 rejected: premium calculation exceeded 40 rules"),
        spring("WARN", "Slow SQL: 1290 ms select policy0_.id from policy policy0_ where policy0_.holder=?"),
    ]


CONNECT = "java.net.ConnectException: Connection refused (Connection refused)"
LINK = (
    "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure\n\nThe last packet sent "
    "successfully to the server was 0 milliseconds ago. The driver has not received any packets from the server."
)
CJ_LINK = LINK.replace("jdbc.exceptions.CommunicationsException", "exceptions.CJCommunicationsException")
_POOL = "com.zaxxer.hikari.pool.HikariPool"
_INIT = spring("ERROR", "HikariPool-1 - Exception during pool initialization.", _POOL, "main")
_RUN = spring("ERROR", "Application run failed", "o.s.boot.SpringApplication", "main")
_BEAN = (
    "org.springframework.beans.factory.BeanCreationException: Error creating bean with name 'entityManagerFactory' "
    "defined in class path resource [HibernateJpaConfiguration.class]: Invocation of init method failed; nested "
    "exception is org.hibernate.service.spi.ServiceException: Unable to create requested service "
    "[org.hibernate.engine.jdbc.env.spi.JdbcEnvironment]"
)


def refused_by_mysql(cause: str = CONNECT) -> list[str]:
    """A start that fails since MySQL is not where it is looked for."""
    return [*failed(_INIT, LINK, CJ_LINK, cause), *failed(_RUN, _BEAN, LINK, CJ_LINK, cause)]


def no_login(message: str) -> list[str]:
    """A start that fails since MySQL refuses the login, or the database."""
    denied = f"java.sql.SQLException: {message}"
    return [*failed(_INIT, denied), *failed(_RUN, _BEAN, denied)]


def statement_fails(message: str, kind: str = "java.sql.SQLException") -> list[str]:
    """A statement that the server refuses at run time."""
    head = spring(
        "ERROR",
        "Servlet.service() for servlet [dispatcherServlet] in context with path [] threw exception [Request processing failed; nested exception is org.springframework.orm.jpa.JpaSystemException: could not execute statement] with root cause",
    )
    return failed(head, f"{kind}: {message}")


def call_fails(url: str, cause: str) -> list[str]:
    """A call of another service by RestTemplate that fails."""
    short = cause.partition(": ")[2] or cause
    head = spring(
        "ERROR",
        f'Servlet.service() for servlet [dispatcherServlet] in context with path [] threw exception [Request processing failed; nested exception is org.springframework.web.client.ResourceAccessException: I/O error on GET request for "{url}": {short}] with root cause',
    )
    return failed(head, cause)


def port_taken(port: int) -> list[str]:
    """Spring Boot's failure analysis of a port that is in use."""
    return [
        spring(
            "WARN",
            f"Exception encountered during context initialization - cancelling refresh attempt: org.springframework.context.ApplicationContextException: Failed to start bean 'webServerStartStop'; nested exception is org.springframework.boot.web.server.PortInUseException: Port {port} is already in use",
            "ConfigServletWebServerApplicationContext",
            "main",
        ),
        spring("ERROR", "", "o.s.b.d.LoggingFailureAnalysisReporter", "main"),
        "***************************",
        "APPLICATION FAILED TO START",
        "***************************",
        "Description:",
        f"Web server failed to start. Port {port} was already in use.",
        "Action:",
        f"Identify and stop the process that's listening on port {port} or configure this application to listen on another port.",
    ]


NACOS_LATE = spring(
    "ERROR",
    "[NACOS HTTP-GET] currentServerAddr: http://registry:8848 err : connect timed out",
    "c.a.n.client.config.http.ServerHttpAgent",
    "main",
)
MYSQL_UP = [
    "2026-03-04T02:40:11.000000Z 0 [System] [MY-010116] [Server] /usr/sbin/mysqld (mysqld 8.0.30) starting as process 1",
    "2026-03-04T02:40:13.000000Z 0 [Warning] [MY-010068] [Server] CA certificate ca.pem is self signed.",
    "2026-03-04T02:40:13.000000Z 0 [System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. Version: '8.0.30'  socket: '/var/run/mysqld/mysqld.sock'  port: 3306  MySQL Community Server - GPL.",
]
