"""The README's commands and code, run as they stand there."""

import os
import pathlib
import re
import shlex
import socket
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.settings import TrainingSettings
from tfmtl import config
from tfmtl.models import MODELS

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
REPOSITORY = pathlib.Path(__file__).parents[1]
RUN_BY_CI = ["make demo", "make test"]
MOVIELENS = "tfmtl run examples/movielens.yaml --data ml-1m"  # tests/pipelines/test_movielens.py
ALI_CCP = ("tfmtl simulate examples/ali_ccp", "tfmtl ingest ali-ccp", "tfmtl run examples/ali_ccp")
"""How the commands begin that tests/pipelines/test_ali_ccp.py runs."""
KOUBEI = ("tfmtl ingest panels", "tfmtl run examples/koubei")
"""And those of tests/pipelines/test_koubei.py."""


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands():
    return [line for block in blocks("console") for line in block.strip().splitlines()]


def environment():
    """Of a shell: without the variable that TFT, imported by other tests, sets for TensorFlow."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return {**inherited, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


def call(command, folder, **options):
    words = shlex.split(command)
    assert words[0] == "tfmtl"
    program = [sys.executable, "-c", "from pipelines.cli import program; program()", *words[1:]]
    return subprocess.run(program, cwd=folder, env=environment(), capture_output=True, text=True, **options)


def invoke(command):
    """What the command prints. It runs in this process, which has TFX loaded; `call` is for what should need less."""
    words = shlex.split(command)
    assert words[0] == "tfmtl"
    result = CliRunner().invoke(main, words[1:])
    assert result.exit_code == 0, result.output
    return result.output


def write_log(path, rows=4000):
    """A log with the columns of the README's spec, in which phones click more and dear things are bought less."""
    rng = np.random.default_rng(0)
    lines = ["user,item,device,price,interests,clicked,bought"]
    for _ in range(rows):
        device, price = rng.choice(["phone", "desktop"]), rng.lognormal(3, 1)
        clicked = rng.random() < (0.5 if device == "phone" else 0.2)
        bought = clicked and rng.random() < 1 / (1 + price / 20)
        interests = "|".join(rng.choice(list("abcdef"), rng.integers(0, 4)))
        line = [f"u{rng.integers(200)}", f"i{rng.integers(50)}", device, f"{price:.2f}", interests]
        lines.append(",".join([*line, str(int(clicked)), str(int(bought))]))
    path.write_text("\n".join(lines) + "\n")


def test_every_command_is_run_somewhere():
    by_this_file = [c for c in commands() if c.startswith(("tfmtl run shop", "tfmtl serve", "tfmtl predict"))]
    compiled = [c for c in commands() if c.startswith("tfmtl compile shop.yaml")]
    of_data_sets = [c for c in commands() if c.startswith((*ALI_CCP, *KOUBEI))]
    assert sorted(commands()) == sorted([*RUN_BY_CI, MOVIELENS, *of_data_sets, *by_this_file, *compiled])
    assert len(by_this_file) == 3
    assert len(compiled) == 1
    ci = (REPOSITORY / ".ci" / "run").read_text()
    assert all(command in ci for command in RUN_BY_CI)


@pytest.mark.slow
def test_your_own_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(blocks("yaml")[0])
    write_log(tmp_path / "log.csv")
    run, serve, predict, compile_ = (
        next(c for c in commands() if c.startswith(start))
        for start in ("tfmtl run shop", "tfmtl serve", "tfmtl predict", "tfmtl compile")
    )
    assert "pushed version" in invoke(run)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    program = [sys.executable, "-c", "from pipelines.cli import program; program()"]
    words = shlex.split(serve.replace("8500", port))[1:]
    with subprocess.Popen(
        [*program, *words], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            assert "serving shop on 127.0.0.1" in server.stdout.readline()
            predicted = call(predict.replace("8500", port), tmp_path)
            assert predicted.returncode == 0, predicted.stderr
            assert "5 rows scored by 'shop'" in predicted.stdout
            client = next(block for block in blocks("python") if "TfmtlClient" in block).replace("8500", port)
            script = client + "\nassert scores['ctcvr'].shape == (1,)\nassert 0 < scores['ctcvr'][0] < 1\n"
            done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        finally:
            server.terminate()
    invoke(compile_)
    assert (tmp_path / "pipeline.yaml").exists()


def test_reuse_code_runs_with_tensorflow_and_keras_only(tmp_path):
    """As a module of a package that is imported with every other distribution hidden."""
    code = next(block for block in blocks("python") if "class MyModel" in block)
    check = "assert {name: scores.shape for name, scores in logits.items()} == dict.fromkeys(TASKS, (1000,))\n"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "mine" / "model.py").write_text(code + check, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", str(REPOSITORY / "tests" / "import_light.py"), "mine", "tfmtl"],
        env={**environment(), "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "mine.model" in done.stdout.split()


def test_training_settings_are_as_the_readme_has_them():
    training = config.build(TrainingSettings, config.parse_yaml(blocks("yaml")[1]), ("training",))
    assert training.strategy.kind == "maml"
    assert training.fine_tuning.max_epochs == 2


def test_models_table_lists_every_model_and_example():
    rows = re.findall(r"^\| `(\w+)` \|.*\| (?:`(\S+)` )?\|$", README, re.MULTILINE)
    assert {name for name, _ in rows} == set(MODELS)
    assert all((REPOSITORY / example).exists() for _, example in rows if example)
