"""Compiles the demonstration's pipeline for Kubeflow."""

import pathlib

from click.testing import CliRunner

from pipelines.cli import main

REPOSITORY = pathlib.Path(__file__).parents[2]


def compile_demo(folder, settings=REPOSITORY / "examples" / "demo.yaml", **options):
    out = folder / "pipeline.yaml"
    arguments = {"--image": "registry/tfmtl:1", "--root": str(folder / "root"), "--out": str(out), **options}
    words = [word for pair in arguments.items() for word in pair]
    result = CliRunner().invoke(main, ["compile", str(settings), *words])
    assert result.exit_code == 0, result.output
    return out
