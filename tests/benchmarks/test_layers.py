"""Measurements of layers on any Keras backend; also runs in an environment with JAX and without TensorFlow."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from benchmarks.protocol import results
from benchmarks.rows import BACKENDS, Sizes, all_rows

ROOT = pathlib.Path(__file__).parents[2]
BATCH, FIELDS, DIM, TASKS = 32, 23, 18, 2
SETTINGS = {"device": "cpu", "seconds": 0.0, "seed": 1, "warm_up": 1, "pool": 2, "count_flops": True}


def require(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")


def environment(backend):
    inherited = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return {**inherited, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}


def mmoe_flops():
    """Operations of the forward pass of the quick MMoE, by hand: 2 experts [8], towers [8], 2 gates."""
    inputs, experts, width, tower = FIELDS * DIM, 2, 8, 8
    experts_products = inputs * experts * width
    gates = TASKS * (inputs * experts + experts * width)
    towers = TASKS * (width * tower + tower)
    return 2 * BATCH * (experts_products + gates + towers)


@pytest.mark.long
@pytest.mark.parametrize("backend", BACKENDS)
def test_measures_products_and_layers(backend):
    require(backend)
    rows = [row for row in all_rows(Sizes(quick=True, backend=backend)) if row.section in ("limit", "layers")]
    jobs = "".join(json.dumps({**row.job, **SETTINGS}) + "\n" for row in rows)
    command = [sys.executable, "-m", "benchmarks.measure_layers"]
    done = subprocess.run(
        command, input=jobs, cwd=ROOT, env=environment(backend), capture_output=True, text=True, check=False
    )
    measured = dict(zip([row.name for row in rows], results(done.stdout), strict=True))
    assert done.returncode == 0, done.stderr
    assert all("error" not in result and result["seconds"] > 0 for result in measured.values()), measured
    for precision in ("float32", "bfloat16"):
        mmoe, apem = measured[f"layers/mmoe/{precision}"], measured[f"layers/apem/{precision}"]
        assert mmoe["forward_flops"] == mmoe_flops()
        assert mmoe["flops"] == 3 * mmoe["forward_flops"]
        assert apem["flops"] == 3 * apem["forward_flops"] > 0
        assert mmoe["parameters"] > 2_000 * DIM
        assert mmoe["peak_mb"] > 100


@pytest.mark.long
def test_command_with_jax_prints_every_row(tmp_path):
    """The environment needs JAX, Keras, click and rich."""
    for name in ("jax", "click", "rich"):
        require(name)
    command = [sys.executable, "-m", "benchmarks.train", "--backend", "jax", "--device", "cpu", "--quick"]
    paths = ["--json", str(tmp_path / "out.json"), "--markdown", str(tmp_path / "out.md")]
    done = subprocess.run(
        [*command, *paths], cwd=ROOT, env={**environment("jax"), "COLUMNS": "240"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = all_rows(Sizes(quick=True, backend="jax"))
    assert set(json.loads((tmp_path / "out.json").read_text())["rows"]) == {row.name for row in rows}
    page = (tmp_path / "out.md").read_text()
    for row in rows:
        assert row.label in done.stdout
        assert f"| {row.label} |" in page


def test_counts_the_products_of_a_jaxpr():
    """A product counts twice its multiplications, in the body of a loop once for each iteration."""
    jax = pytest.importorskip("jax")
    if os.environ.get("KERAS_BACKEND") != "jax":
        pytest.skip("KERAS_BACKEND is not jax")
    from benchmarks.on_jax import product_flops

    def loop(x):
        return jax.lax.scan(lambda carry, _: (carry @ x, None), x, None, length=5)[0]

    ones = jax.numpy.ones
    assert product_flops(jax.make_jaxpr(loop)(ones((3, 3))).jaxpr) == 5 * 2 * 3**3
    multiply = jax.make_jaxpr(jax.jit(lambda x, y: jax.numpy.einsum("bij,bjk->bik", x, y)))
    assert product_flops(multiply(ones((7, 3, 4)), ones((7, 4, 5))).jaxpr) == 7 * 2 * 3 * 4 * 5
    loss = jax.value_and_grad(lambda x, y: jax.numpy.sum(x @ y), argnums=(0, 1))
    assert product_flops(jax.make_jaxpr(loss)(ones((3, 4)), ones((4, 5))).jaxpr) == 3 * 2 * 3 * 4 * 5
