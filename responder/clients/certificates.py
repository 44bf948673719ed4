"""TLS handshakes that read the chain first and judge it afterwards."""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from responder.model.certificates import Certificate, Handshake

_UNKNOWN_ISSUER = (2, 20, 21)
"""X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, …_LOCALLY and …_VERIFY_LEAF_SIGNATURE (openssl, x509_vfy.h)."""


async def shake(address: str, port: int, server_name: str) -> Handshake:
    """Handshake without verification to read the chain, then once more to hear what OpenSSL thinks of it.

    Raises OSError (SSLError among them) where there is no handshake.
    """
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname, anything.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(address, port, ssl=anything, server_hostname=server_name)
    secure = writer.get_extra_info("ssl_object")
    protocol, encoded = str(secure.version() or ""), sent_chain(secure)
    writer.close()
    chain, linked = await asyncio.to_thread(_read, encoded)
    verdict, unknown = await _verify(address, port, server_name)
    return Handshake(
        server_name=server_name,
        protocol=protocol,
        chain=chain,
        verdict=verdict,
        linked=linked,
        incomplete=unknown and bool(chain) and not chain[-1].self_signed,
    )


def sent_chain(secure: Any) -> Sequence[bytes]:
    """The certificates that the server sent, as DER; Python has a public way since 3.13 only."""
    public = getattr(secure, "get_unverified_chain", None)
    if public is not None:
        return [bytes(item) for item in public()]
    inner = getattr(secure, "_sslobj", None)
    found = inner.get_unverified_chain() if inner is not None else None
    return [ssl.PEM_cert_to_DER_cert(item.public_bytes()) for item in found or ()]


async def _verify(address: str, port: int, server_name: str) -> tuple[str, bool]:
    """OpenSSL's words about the chain, empty where it is trusted; and whether an issuer is not known here."""
    trusting = await asyncio.to_thread(ssl.create_default_context)
    trusting.check_hostname = False
    try:
        _, writer = await asyncio.open_connection(address, port, ssl=trusting, server_hostname=server_name)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message, error.verify_code in _UNKNOWN_ISSUER
    writer.close()
    return "", False


def _read(encoded: Sequence[bytes]) -> tuple[tuple[Certificate, ...], bool]:
    """The certificates, and whether each is signed by the next one."""
    found = [x509.load_der_x509_certificate(item) for item in encoded]
    linked = all(map(_signed_by, found, found[1:]))
    return tuple(map(_told, found)), linked


def _told(found: x509.Certificate) -> Certificate:
    return Certificate(
        subject=found.subject.rfc4514_string()[:256],
        issuer=found.issuer.rfc4514_string()[:256],
        names=_names(found)[:64],
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        serial=f"{found.serial_number:x}",
        self_signed=found.issuer == found.subject and _signed_by(found, found),
    )


def _names(found: x509.Certificate) -> tuple[str, ...]:
    """The DNS names and addresses it is for; the common name where it has no others."""
    try:
        others = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        common = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(item.value) for item in common)
    dns = others.get_values_for_type(x509.DNSName)
    return (*dns, *(str(item) for item in others.get_values_for_type(x509.IPAddress)))


def _signed_by(found: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        found.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
