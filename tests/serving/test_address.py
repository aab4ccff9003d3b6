"""Addresses on which a server listens, TLS and tokens."""

import socket
import stat

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from serving.address import is_loopback, join, listen
from serving.security import TlsFiles, read_token
from serving.server import EmbeddedServer
from tfmtl.config import ConfigError


@pytest.fixture(scope="module")
def model(tmp_path_factory, line_exports, publish):
    folder = tmp_path_factory.mktemp("models") / "m"
    folder.mkdir()
    publish(line_exports[2], folder / "1")
    return folder


def status(channel, **options):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "m"
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    return stub.GetModelStatus(request, timeout=20, **options).model_version_status[0].state


def code_of(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name


def served(model, **options):
    return EmbeddedServer({"m": model}, poll_seconds=0.05, **options)


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "prefix"),
    [
        ("127.0.0.1", "127.0.0.1:"),
        ("localhost", "localhost:"),
        ("0.0.0.0", "0.0.0.0:"),
        pytest.param("::1", "[::1]:", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")),
        pytest.param("[::1]", "[::1]:", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")),
    ],
)
def test_hosts(model, host, prefix):
    with served(model, host=host) as server:
        assert server.address.startswith(prefix)
        assert int(server.address.removeprefix(prefix)) > 0
        with grpc.insecure_channel(server.address) as channel:
            assert status(channel) == 30


def test_address_of_ipv6_has_brackets():
    assert (join("::1", 8500), join("10.0.0.1", 8500), join("host", 1)) == ("[::1]:8500", "10.0.0.1:8500", "host:1")


def test_loopback():
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]", "unix:/tmp/s")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org")))


@pytest.mark.parametrize(
    "host", ["256.0.0.1", "no.such.host.invalid", "", "127.0.0.1:80", "192.0.2.1", "a" * 300, "ü..x"]
)
def test_hosts_that_are_not_of_this_machine(host):
    with pytest.raises(ConfigError, match="should be a free address of this machine; --port 0 chooses a free port"):
        listen(grpc.server(None), host, 0)


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_ports_that_do_not_exist(port):
    with pytest.raises(ConfigError, match="should be a free address of this machine"):
        listen(grpc.server(None), "127.0.0.1", port)


def test_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ConfigError, match="Address already in use"):
        listen(grpc.server(None), "127.0.0.1", other.getsockname()[1])


def test_unix_socket(model, tmp_path):
    path = tmp_path / "s"
    for _ in range(2):
        with served(model, host=f"unix:{path}") as server:
            assert server.address == f"unix:{path}"
            assert stat.S_ISSOCK(path.stat().st_mode)
            with grpc.insecure_channel(server.address) as channel:
                assert status(channel) == 30
            with pytest.raises(ConfigError, match="Received: the socket of a running server"):
                served(model, host=f"unix:{path}").start()


def test_socket_that_a_dead_server_left(model, tmp_path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "s"))
    left.close()
    with served(model, host=f"unix:{tmp_path / 's'}") as server, grpc.insecure_channel(server.address) as channel:
        assert status(channel) == 30


def test_paths_that_cannot_be_sockets(tmp_path):
    (tmp_path / "file").touch()
    for path, message in [
        ("", "of 1 to 107 bytes. Received: "),
        (tmp_path / ("x" * 120), "of 1 to 107 bytes. Received: "),
        (tmp_path / "gone" / "s", "in a folder that exists. Received: no folder "),
        (tmp_path / "file", "Received: a file or folder that exists"),
        (tmp_path, "Received: a file or folder that exists"),
    ]:
        with pytest.raises(ConfigError, match=message):
            listen(grpc.server(None), f"unix:{path}", 0)


def test_tls(model, certificates):
    tls = TlsFiles(certificates / "server.pem", certificates / "server.key")
    with served(model, tls=tls) as server:
        credentials = grpc.ssl_channel_credentials((certificates / "ca.pem").read_bytes())
        with grpc.secure_channel(server.address, credentials) as channel:
            assert status(channel) == 30
        with grpc.insecure_channel(server.address) as channel:
            assert code_of(lambda: status(channel)) == "UNAVAILABLE"
        with grpc.secure_channel(server.address, grpc.ssl_channel_credentials()) as channel:
            assert code_of(lambda: status(channel)) == "UNAVAILABLE"


def test_mutual_tls(model, certificates):
    authority, key, certificate = (
        (certificates / name).read_bytes() for name in ("ca.pem", "client.key", "client.pem")
    )
    tls = TlsFiles(certificates / "server.pem", certificates / "server.key", certificates / "ca.pem")
    with served(model, tls=tls) as server:
        with grpc.secure_channel(server.address, grpc.ssl_channel_credentials(authority, key, certificate)) as channel:
            assert status(channel) == 30
        with grpc.secure_channel(server.address, grpc.ssl_channel_credentials(authority)) as channel:
            assert code_of(lambda: status(channel)) == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("gone.pem", "server.key"), "gone.pem should be a file that can be read. Received: No such file"),
        (
            ("server.pem", "client.key"),
            "should be a certificate and its key, without a passphrase. Received: .*MISMATCH",
        ),
        (("server.key", "server.key"), "should be a certificate and its key"),
        (("names", "server.key"), "should be a certificate and its key"),
        (("server.pem", "locked.key"), "should be a certificate and its key.* Received: a key with a passphrase"),
        (("server.pem", "server.key", "server.key"), "server.key should hold certificates"),
        (("server.pem", "server.key", "gone.pem"), "gone.pem should be a file that can be read"),
    ],
)
def test_wrong_files_for_tls(model, certificates, names, message):
    with pytest.raises(ConfigError, match=message):
        served(model, tls=TlsFiles(*(certificates / name for name in names))).start()


def test_token(model):
    with served(model, token="s3cret") as server, grpc.insecure_channel(server.address) as channel:
        assert status(channel, metadata=[("authorization", "Bearer s3cret")]) == 30
        for metadata in (
            [], [("authorization", "Bearer other")], [("authorization", "s3cret")], [("authorization", "Bearer ")],
            [("authorization", "Bearer s3cret")] * 2, [("authorization-bin", b"Bearer s3cret")],
        ):  # fmt: skip
            assert code_of(lambda metadata=metadata: status(channel, metadata=metadata)) == "UNAUTHENTICATED"
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
        assert health.status == health_pb2.HealthCheckResponse.SERVING


def test_token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("  s3cret+/=\n")
    assert read_token(path) == "s3cret+/="
    for content in (b"", b" \n", b"two words", b"\xff", "tökén".encode()):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="should hold a token: one word of printable ASCII characters"):
            read_token(path)
    with pytest.raises(ConfigError, match="should be a file that can be read"):
        read_token(tmp_path / "gone")


def test_token_that_others_could_read_is_warned_about(model, caplog):
    for host in ("0.0.0.0", "127.0.0.1"):
        with served(model, host=host, token="s3cret"):
            pass
    assert len([message for message in caplog.messages if "not encrypted" in message]) == 1
