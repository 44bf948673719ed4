"""The catalogue's entries about endpoints."""

from responder.model.finding import Cause

_DEBUG = "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/"
_DNS = "https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/"
_INGRESS_TLS = "https://kubernetes.io/docs/concepts/services-networking/ingress/#tls"
_UPGRADE = "https://nginx.org/en/docs/http/websocket.html"


def _cause(
    slug: str, title: str, meaning: str, confirm: str, fix: str, reference: str = _DEBUG, *, generic: bool = False
) -> Cause:
    return Cause(
        slug=slug, title=title, meaning=meaning, confirm=confirm, fix=fix, reference=reference, generic=generic
    )


REFUSED = _cause(
    "endpoint-refuses-connections", "An endpoint refuses connections",
    "The host answers, and nothing listens on the port: the process is down, listens on another port or on loopback.",
    "nc -z -v HOST PORT; ss -ltn on the host or in the pod",
    "Start the process, or correct the port or the address that it listens on", generic=True,
)  # fmt: skip
SILENT = _cause(
    "endpoint-silent", "An endpoint does not answer at all",
    "Packets are neither answered nor refused: the host is down, or a firewall or network policy drops them.",
    "nc -z -v -w 3 HOST PORT from several places; kubectl get networkpolicy",
    "Bring the host back, or let the traffic through", generic=True,
)  # fmt: skip
MUTE = _cause(
    "endpoint-accepts-and-does-not-answer", "An endpoint accepts connections and does not answer",
    "The host is up and the port is open, but nothing is said in time: the process hangs, has no thread left, waits "
    "for another server, or expects another protocol (TLS, or none).",
    "nc HOST PORT, then type a request; the log of the process, and what its threads wait for",
    "Find what the process waits for; restart it once its threads are written down",
)  # fmt: skip
NO_ROUTE = _cause(
    "endpoint-no-route", "There is no route to an endpoint",
    "The network says that the host cannot be reached.",
    "ip route get ADDRESS; traceroute ADDRESS", "Correct the route, or the address",
)  # fmt: skip
RESET = _cause(
    "endpoint-resets-connections", "An endpoint closes connections before it answers",
    "The connection is accepted and then closed: a crash while serving, a proxy without a backend, another protocol.",
    "The log of the process and of the proxy before it", "Find out who closes the connection", generic=True,
)  # fmt: skip
HANDSHAKE = _cause(
    "endpoint-tls-handshake-failed", "A TLS handshake fails",
    "The server speaks no TLS on the port, none of the offered versions or ciphers, or does not know the name.",
    "openssl s_client -connect HOST:PORT -servername NAME", "Correct the port, or the server's TLS settings",
)  # fmt: skip
NO_SUCH_NAME = _cause(
    "endpoint-name-does-not-resolve", "The name of an endpoint does not resolve",
    "No name server knows the name, or it has no addresses: it is misspelt, was deleted, or is in another zone.",
    "dig +search NAME; kubectl get service -A", "Correct the name, or create the record or service", _DNS,
)  # fmt: skip
BAD_NAME_SERVER = _cause(
    "endpoint-name-server-fails", "The name server fails or refuses",
    "The server answers SERVFAIL or REFUSED: the servers that it asks do not answer it, the zone is broken, or it "
    "does not answer us.",
    "dig @SERVER NAME; the log of CoreDNS", "Look at the name server and at those it forwards to", _DNS,
)  # fmt: skip
SILENT_NAME_SERVER = _cause(
    "endpoint-name-server-silent", "The name server does not answer",
    "Questions get no answer in time: the server is down or overloaded, or packets to port 53 are dropped.",
    "dig @SERVER NAME; kubectl -n kube-system get pods -l k8s-app=kube-dns",
    "Bring the name server back, or let UDP and TCP port 53 through", _DNS,
)  # fmt: skip
WRONG_RECORDS = _cause(
    "endpoint-name-wrong-records", "A name means something else than expected",
    "The name resolves, to other records than those that should be there.",
    "dig NAME at each of the zone's name servers", "Correct the records, or wait until old ones run out", _DNS,
)  # fmt: skip
EXPIRED = _cause(
    "endpoint-certificate-expired", "A certificate has expired",
    "The server's certificate, or that of its issuer, is past its date: clients refuse it.",
    "openssl s_client -connect HOST:PORT -servername NAME | openssl x509 -noout -dates",
    "Renew it and have the server load it; find out why it was not renewed (kubectl get certificate)", _INGRESS_TLS,
)  # fmt: skip
EXPIRES = _cause(
    "endpoint-certificate-expires-soon", "A certificate expires soon",
    "The certificate is valid now and for fewer days than wanted: its renewal does not work, or is not done yet.",
    "openssl s_client -connect HOST:PORT -servername NAME | openssl x509 -noout -dates",
    "Renew it; look at what should do so (kubectl describe certificate)", _INGRESS_TLS, generic=True,
)  # fmt: skip
EARLY = _cause(
    "endpoint-certificate-not-yet-valid", "A certificate is not valid yet",
    "It begins in the future: the clock of the issuer or ours is wrong, or it was taken into use too early.",
    "openssl x509 -noout -dates; timedatectl", "Correct the clock, or use the previous certificate", _INGRESS_TLS,
)  # fmt: skip
OTHER_NAME = _cause(
    "endpoint-certificate-other-name", "A certificate is for another name",
    "None of the certificate's names is the one that clients ask for.",
    "openssl x509 -noout -ext subjectAltName", "Issue one with the name, or ask for one of its names", _INGRESS_TLS,
)  # fmt: skip
UNTRUSTED = _cause(
    "endpoint-certificate-untrusted", "A certificate is not trusted",
    "It is signed by itself, or by an authority that we do not trust.",
    "openssl s_client -connect HOST:PORT -servername NAME: Verify return code",
    "Use one of a trusted authority, or give clients the authority's certificate (here: SSL_CERT_FILE)", _INGRESS_TLS,
)  # fmt: skip
CHAIN = _cause(
    "endpoint-certificate-chain-incomplete", "A certificate's chain is incomplete",
    "The server does not send the certificates between its own and the authority's, or its authority is not known "
    "here: some clients can fill the gap, others cannot.",
    "openssl s_client -connect HOST:PORT -servername NAME -showcerts",
    "Put the intermediate certificates behind the server's own in its file (tls.crt)", _INGRESS_TLS,
)  # fmt: skip
DEFAULT_CERTIFICATE = _cause(
    "ingress-default-certificate", "The ingress shows its default certificate",
    "The controller has no certificate for the name: the Secret is missing or broken, or no rule names the host.",
    "kubectl describe ingress; kubectl get secret NAME; the controller's log",
    "Create the Secret that the ingress names under spec.tls, with the host", _INGRESS_TLS,
)  # fmt: skip
SERVER_ERROR = _cause(
    "endpoint-server-error", "An endpoint answers with a server error",
    "It answers, with a status of 500 or more: it fails itself, or a proxy has no backend that works (502, 503, 504).",
    "curl -i URL; the log of who answers (header Server)", "Look at the process behind it", generic=True,
)  # fmt: skip
UNEXPECTED = _cause(
    "endpoint-unexpected-answer", "An endpoint does not answer as it should",
    "It answers with another status, header or body than wanted: a wrong path, a changed version, a login page.",
    "curl -i URL", "Compare with what was deployed last; correct the path or what is expected", generic=True,
)  # fmt: skip
SLOW = _cause(
    "endpoint-slow", "An endpoint answers slowly",
    "It answers as it should and takes longer than wanted.",
    "curl -o /dev/null -w '%{time_namelookup} %{time_connect} %{time_starttransfer}' URL",
    "Look at the load of the process and at what it waits for", generic=True,
)  # fmt: skip
NOT_UPGRADED = _cause(
    "endpoint-websocket-not-upgraded", "A WebSocket's handshake is not passed on",
    "The answer is not that of a WebSocket: mostly a proxy on the way does not pass on the headers Upgrade and "
    "Connection, or speaks HTTP/2 or 1.0 to its backend.",
    "curl -i --http1.1 with Upgrade and Connection, at the proxy and then directly at the service",
    "Let the proxy speak HTTP/1.1 and pass on Upgrade and Connection; give it long read timeouts", _UPGRADE,
)  # fmt: skip
DENIED = _cause(
    "endpoint-websocket-denied", "A WebSocket is denied",
    "The server demands a login, or does not accept the Origin: Responder sends neither.",
    "wscat -c URL -H 'Origin: https://…'", "Ask with what the server demands; check its list of origins", _UPGRADE,
)  # fmt: skip

CAUSES = (
    REFUSED, SILENT, MUTE, NO_ROUTE, RESET, HANDSHAKE, NO_SUCH_NAME, BAD_NAME_SERVER, SILENT_NAME_SERVER, WRONG_RECORDS,
    EXPIRED, EXPIRES, EARLY, OTHER_NAME, UNTRUSTED, CHAIN, DEFAULT_CERTIFICATE, SERVER_ERROR, UNEXPECTED, SLOW,
    NOT_UPGRADED, DENIED,
)  # fmt: skip
