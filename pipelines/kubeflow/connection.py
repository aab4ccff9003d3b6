"""Connection to Kubeflow Pipelines, whose errors are messages of one to three lines."""

import contextlib
import io
import json
import os
import pathlib
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

import kfp
import kfp_server_api
import urllib3

from tfmtl.config import ConfigError

TOKEN = "KFP_EXISTING_TOKEN"
"""Variable of the environment with the token; kfp's own command line reads it too."""
_IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
_POD_NAMESPACE = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
SECONDS = (10.0, 30.0)
"""Seconds that a connection and an answer may take; the client tries four times, except to create a run."""
_LONGEST = 300


class _Client(kfp.Client):
    """Client of Kubeflow Pipelines that does not repeat the first request for half a minute if nobody answers."""

    def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
        return kfp_server_api.V2beta1GetHealthzResponse(multi_user=False)


class Connection:
    """Connection to Kubeflow Pipelines.

    The client finds a server as `kfp` does: at `host`, or inside the cluster, or with the configuration of `kubectl`.
    The token is that of the environment.

    Args:
        host: Address of the API; None for the cluster in which this process runs, or that of `kubectl`.
        namespace: Namespace of the experiments, on a server for several users; None for the one of this process.

    Raises:
        ConfigError: If there is no address, or nobody answers there as Kubeflow Pipelines does.

    Attributes:
        client: Client of `kfp`.
        host: Address, as messages show it.
        namespace: Namespace of the experiments; None if the server has no namespaces for users.
        kfp_options: Options with which the command `kfp` connects to the same server.
    """

    def __init__(self, host: str | None, namespace: str | None = None):
        if not host and _IN_CLUSTER not in os.environ and not _has_kube_config():
            expected = "--host should be the address of Kubeflow Pipelines, or KF_PIPELINES_ENDPOINT"
            raise ConfigError(f"{expected}, such as http://localhost:8080 of `kubectl port-forward`. Received: none")
        if host and "://" not in host:
            host = f"https://{host}"  # As the client does for requests, but not for the address of a page.
        self.host = host or "Kubeflow Pipelines"
        with self.errors():
            self.client = _Client(host=host or None, existing_token=os.environ.get(TOKEN) or None)
            _limit_time(self.client)
            health = self.client._healthz_api.healthz_service_get_healthz()
        if not self.client._healthz_api.api_client.last_response.data.lstrip().startswith("{"):
            expected = "should be the API of Kubeflow Pipelines. Received: a page, such as one to log in"
            raise ConfigError(f"{self.host} {expected}. {_ADVICE}")
        if namespace is None and health.multi_user and _POD_NAMESPACE.exists():
            namespace = _POD_NAMESPACE.read_text(encoding="utf-8").strip()
        self.namespace = namespace
        options = {"--endpoint": host, "--namespace": namespace}
        self.kfp_options = [word for name, value in options.items() if value for word in (name, value)]

    def page(self, path: str) -> str:
        """Returns the address of a page of the user interface.

        Args:
            path: Part of the address behind `#`, such as `/runs/details/ID`.
        """
        return f"{self.client._get_url_prefix().rstrip('/')}/#{path}"

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Raises a `ConfigError` for an error of the connection, and hides what the client prints.

        Raises:
            ConfigError: If the server cannot be reached or refuses a request.
        """
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except kfp_server_api.ApiException as error:
            self._refused(error)
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            text = str(reason).rsplit(": ", 1)[-1][:_LONGEST]
            advice = "Is it the address of Kubeflow Pipelines, and does its port-forward run?"
            raise ConnectionFailed(f"{self.host} does not answer: {text}. {advice}") from error

    def _refused(self, error: kfp_server_api.ApiException) -> NoReturn:
        message = f"{self.host} refused the request: {error.status} {_message(error)}"
        if error.status in (401, 403):
            message += f"\n{_ADVICE}"
        elif not error.status or error.status >= 500:
            raise ConnectionFailed(message) from error
        raise ConfigError(message) from error


class ConnectionFailed(ConfigError):
    """No answer, or an error of the server: the same request may succeed later."""


_ADVICE = f"Give a valid token in the environment variable {TOKEN}, and the namespace of your profile with --namespace."


def _has_kube_config() -> bool:
    paths = os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)
    return any(path and os.path.exists(os.path.expanduser(path)) for path in paths)


def _limit_time(client: kfp.Client) -> None:
    """Ends requests without an answer: the client has no time limit of its own."""
    rest = client._healthz_api.api_client.rest_client
    request = rest.request

    def limited(*arguments: Any, _request_timeout: Any = None, **options: Any) -> Any:
        return request(*arguments, _request_timeout=_request_timeout or SECONDS, **options)

    rest.request = limited


def _message(error: kfp_server_api.ApiException) -> str:
    """Returns the message of an error's body in one line, or its reason."""
    try:
        body = json.loads(error.body)
        text = str(body.get("message") or body.get("error") or error.reason)
    except (AttributeError, TypeError, ValueError):
        text = str(error.reason)
    return " ".join(text.split())[:_LONGEST]
