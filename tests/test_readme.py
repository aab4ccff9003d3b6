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

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
REPOSITORY = pathlib.Path(__file__).parents[1]
RUN_BY_CI = ["make demo", "make test"]
MOVIELENS = "tfmtl run examples/movielens.yaml --data ml-1m"  # tests/pipelines/test_movielens.py


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands():
    return [line for block in blocks("console") for line in block.strip().splitlines()]


def environment():
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


def call(command, folder, **options):
    words = shlex.split(command)
    assert words[0] == "tfmtl"
    program = [sys.executable, "-c", "from pipelines.cli import program; program()", *words[1:]]
    return subprocess.run(program, cwd=folder, env=environment(), capture_output=True, text=True, **options)


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
    assert sorted(commands()) == sorted([*RUN_BY_CI, MOVIELENS, *by_this_file, *compiled])
    assert len(by_this_file) == 3
    assert len(compiled) == 1
    ci = (REPOSITORY / ".ci" / "run").read_text()
    assert all(command in ci for command in RUN_BY_CI)


@pytest.mark.slow
def test_your_own_data(tmp_path):
    (tmp_path / "shop.yaml").write_text(blocks("yaml")[0])
    write_log(tmp_path / "log.csv")
    run, serve, predict, compile_ = (
        next(c for c in commands() if c.startswith(start))
        for start in ("tfmtl run shop", "tfmtl serve", "tfmtl predict", "tfmtl compile")
    )
    ran = call(run, tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "pushed version" in ran.stdout
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
    compiled = call(compile_, tmp_path)
    assert compiled.returncode == 0, compiled.stderr
    assert (tmp_path / "pipeline.yaml").exists()


def test_reuse_code_runs(tmp_path):
    code = next(block for block in blocks("python") if "class MyModel" in block)
    check = "\nassert model.predict({'user': np.arange(3), 'item': np.arange(3)}, verbose=0).shape == (3,)\n"
    done = subprocess.run([sys.executable, "-c", code + check], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
