"""TLS and bearer tokens of the embedded server."""

import dataclasses
import hmac
import pathlib
import ssl
from collections.abc import Callable
from typing import Any, NoReturn

import grpc

from tfmtl.config import ConfigError

_HEALTH = "/grpc.health.v1.Health/"


@dataclasses.dataclass(frozen=True)
class TlsFiles:
    """Files of the server's certificate, in PEM format.

    Attributes:
        certificate: Certificate of the server, followed by those of intermediate authorities.
        key: Private key of the certificate, without a passphrase.
        client_authority: Certificates of the authorities whose clients are accepted (mutual TLS). Without it, clients
            need no certificate.
    """

    certificate: str | pathlib.Path
    key: str | pathlib.Path
    client_authority: str | pathlib.Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Reads the files for a gRPC server.

        Raises:
            ConfigError: If a file cannot be read or is invalid, or the key is not that of the certificate.
        """
        self.context()
        certificate, key = _read(self.certificate), _read(self.key)
        if self.client_authority is None:
            return grpc.ssl_server_credentials([(key, certificate)])
        return grpc.ssl_server_credentials([(key, certificate)], _read(self.client_authority), require_client_auth=True)

    def context(self) -> ssl.SSLContext:
        """Reads the files for an HTTP server.

        Raises:
            ConfigError: If a file cannot be read or is invalid, or the key is not that of the certificate.
        """
        for path in (self.certificate, self.key, *([self.client_authority] if self.client_authority else [])):
            _read(path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key, password=_refuse_passphrase)
        except (ssl.SSLError, ValueError) as error:
            expected = f"{self.certificate} and {self.key} should be a certificate and its key, without a passphrase"
            raise ConfigError(f"{expected}. Received: {error}") from error
        if self.client_authority is None:
            return context
        try:
            context.load_verify_locations(self.client_authority)
        except ssl.SSLError as error:
            raise ConfigError(f"{self.client_authority} should hold certificates. Received: {error}") from error
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def read_token(path: str | pathlib.Path) -> str:
    """Reads a bearer token; white space around it is dropped.

    Args:
        path: File to read.

    Raises:
        ConfigError: If it cannot be read, or does not hold one word of printable ASCII characters.
    """
    token = _read(path).strip()
    if not token or not all(32 < byte < 127 for byte in token):
        expected = f"{path} should hold a token: one word of printable ASCII characters"
        raise ConfigError(
            f"{expected}. Received: {len(token)} bytes that are none" if token else f"{expected}. Received: none"
        )
    return token.decode("ascii")


class BearerToken(grpc.ServerInterceptor):
    """Interceptor that requires the header `authorization: Bearer TOKEN`, except for `grpc.health.v1`.

    The probes of Kubernetes and of load balancers send no header, and the health of a server is no secret.

    Args:
        token: Token that clients send.
    """

    def __init__(self, token: str):
        self._expected = f"Bearer {token}".encode()
        self._refusal = grpc.stream_unary_rpc_method_handler(_refuse)  # is called before a request is read

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Returns the handler of a method, or one that answers UNAUTHENTICATED."""
        given = [value for key, value in handler_call_details.invocation_metadata or () if key == "authorization"]
        sent = given[0].encode() if len(given) == 1 and isinstance(given[0], str) else b""
        # The comparison takes the same time wherever the first difference is.
        if handler_call_details.method.startswith(_HEALTH) or hmac.compare_digest(sent, self._expected):
            return continuation(handler_call_details)
        return self._refusal


def _refuse(_: Any, context: grpc.ServicerContext) -> NoReturn:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "The header `authorization: Bearer TOKEN` is missing or wrong.")
    raise AssertionError("abort raises an error")


def _refuse_passphrase() -> NoReturn:
    raise ValueError("a key with a passphrase")


def _read(path: str | pathlib.Path) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} should be a file that can be read. Received: {error.strerror}") from error
