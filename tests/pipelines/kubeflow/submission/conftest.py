"""A server of Kubeflow's API, and a folder with a compiled pipeline."""

import pytest

from pipelines.kubeflow import following
from tests.pipelines.kubeflow.submission.calls import PLATFORM, SPECIFICATION, write
from tests.pipelines.kubeflow.submission.pipelines_server import pipelines_server


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    """The present folder with a compiled pipeline, and no address or token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(following, "POLL_SECONDS", 0.01)
    names = ("KF_PIPELINES_ENDPOINT", "KFP_ENDPOINT", "KFP_NAMESPACE", "KFP_EXISTING_TOKEN", "KUBERNETES_SERVICE_HOST")
    for name in (*names, "KF_PIPELINES_UI_ENDPOINT", "KF_PIPELINES_DEFAULT_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    write(SPECIFICATION, PLATFORM)


@pytest.fixture
def server():
    with pipelines_server() as found:
        yield found
