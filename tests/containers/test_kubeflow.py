"""The demonstration's specification for Kubeflow runs in containers, by the local runner of Kubeflow's SDK."""

import pytest
from kfp import local
from kfp.components import load_component_from_file

from pipelines.commands.simulate import simulate_log
from tests.containers.engine import done
from tests.pipelines.compiled import REPOSITORY, compile_demo

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture
def folder(image, tmp_path):
    """Returns a folder in which containers write as root, and removes what they leave, containers too."""
    yield tmp_path
    mount = ("--volume", f"{tmp_path}:{tmp_path}")
    done("run", "--rm", *mount, image, "find", str(tmp_path), "-mindepth", "1", "-delete")
    left = done("ps", "--all", "--quiet", "--filter", f"volume={tmp_path}").split()
    if left:
        done("rm", *left)


def test_the_demo_runs_by_its_specification(image, folder):
    """The runner mounts the pipeline root and nothing else, so the log and the pushed models are below it too."""
    log, root = folder / "log", folder / "root"
    simulate_log(str(REPOSITORY / "examples" / "demo.yaml"), str(log))
    specification = compile_demo(folder, **{"--image": image, "--root": str(root), "--data": str(log)})
    local.init(local.DockerRunner(), pipeline_root=str(folder))
    load_component_from_file(str(specification))()
    served = root / "serving" / "demo"
    assert len([path for path in served.iterdir() if path.name.isdecimal()]) == 1
    check = ("tfmtl", "export-check", str(served))
    assert "no errors" in done("run", "--rm", "--volume", f"{folder}:{folder}", image, *check)
