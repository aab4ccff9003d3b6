"""Addresses that a server listens on: host and port, IPv4 or IPv6, or a Unix socket."""

import errno
import os
import pathlib
import socket
import stat

import grpc

from tfmtl.config import ConfigError

_UNIX = "unix:"
_LONGEST_PATH = 107


def listen(server: grpc.Server, host: str, port: int, credentials: grpc.ServerCredentials | None = None) -> str:
    """Makes a server listen on an address.

    Args:
        server: Server that is not started yet.
        host: Name or IP address of this machine, or `unix:PATH`.
        port: Port; 0 chooses a free one. A Unix socket has none.
        credentials: Credentials for TLS. Without them connections are not encrypted.

    Returns:
        The address as a client writes it: `127.0.0.1:8500`, `[::1]:8500` or `unix:PATH`.

    Raises:
        ConfigError: If the address is not one of this machine, or is in use.
    """
    is_path = host.startswith(_UNIX)
    if is_path:
        _check_path(host)
    else:
        host = host.strip("[]")
        _check_port(host, port)
    address = host if is_path else join(host, port)
    try:
        if credentials is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, credentials)
    except RuntimeError as error:  # Another program has taken the address since the check.
        raise ConfigError(f"{_expected(address)} Received: {error}") from error
    return host if is_path else join(host, bound)


def join(host: str, port: int) -> str:
    """Returns `host:port`, with brackets around an IPv6 address.

    Args:
        host: Name or IP address.
        port: Port.

    Example:
        >>> join("::1", 8500)
        '[::1]:8500'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Returns whether only programs of this machine reach an address.

    Args:
        host: Name or IP address, or `unix:PATH`.
    """
    host = host.strip("[]")
    return host.startswith((_UNIX, "127.")) or host in ("localhost", "::1")


def _check_port(host: str, port: int) -> None:
    address = join(host, port)
    if not 0 <= port < 65536:  # `getaddrinfo` takes the remainder.
        raise ConfigError(f"{_expected(address)} Received: a port out of 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM) if host else []
    except (OSError, UnicodeError, OverflowError) as error:
        raise ConfigError(f"{_expected(address)} Received: {error}") from error
    errors = [_bind_error(family, name) for family, _, _, _, name in found]
    fatal = [error for error in errors if error is not None and error.errno == errno.EADDRINUSE]
    if fatal or not found or all(errors):
        raise ConfigError(f"{_expected(address)} Received: {(fatal or errors or ['no host'])[0]}")


def _bind_error(family: int, name: tuple) -> OSError | None:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(name)
            probe.listen(1)
    except OSError as error:
        return error
    return None


def _check_path(host: str) -> None:
    path = pathlib.Path(host.removeprefix(_UNIX).removeprefix("//"))
    expected = f"{host} should be the path of a socket to create"
    if not path.name or len(os.fsencode(path)) > _LONGEST_PATH:
        raise ConfigError(f"{expected}, of 1 to {_LONGEST_PATH} bytes. Received: {len(os.fsencode(path))} bytes")
    if not path.parent.is_dir():
        raise ConfigError(f"{expected} in a folder that exists. Received: no folder {path.parent}")
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ConfigError(f"{expected}. Received: a file or folder that exists")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:  # A server that is no longer running has left it.
            return
        except OSError as error:
            raise ConfigError(f"{expected}. Received: {error}") from error
    raise ConfigError(f"{expected}. Received: the socket of a running server")


def _expected(address: str) -> str:
    return f"{address} should be a free address of this machine; --port 0 chooses a free port."
