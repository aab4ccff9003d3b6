"""The commands and the code of the README and of docs/, run as they are written there."""

import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.data_checks.options import DataChecks
from pipelines.gates.thresholds import ExportThresholds, Thresholds
from pipelines.kubeflow_settings import KubeflowSettings
from pipelines.settings import ModelSettings
from pipelines.training_settings import TrainingSettings
from tests.tfmtl import cases
from tfmtl import config
from tfmtl.config import Document, build
from tfmtl.models import MODELS, MMoEOptions, ModelOptions
from transforms.batches.reasons import RENAMED_REASONS

REPOSITORY = pathlib.Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
PAGES = {
    "README.md": (REPOSITORY / "README.md").read_text(encoding="utf-8"),
    **{
        path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(DOCS.rglob("*.md"))
        if DOCS / "results" not in path.parents
    },
}
"""The README and the pages of docs/ by their path, but for the results, which `tfmtl compare` wrote."""
RUN_BY_CI = ["make demo", "make test"]
MOVIELENS = "tfmtl run examples/movielens.yaml --data ml-1m"  # tests/pipelines/test_movielens.py
ALI_CCP = ("tfmtl simulate examples/ali_ccp", "tfmtl ingest ali-ccp", "tfmtl run examples/ali_ccp")
"""Beginnings of the commands that tests/pipelines/test_ali_ccp.py runs."""
REPORTS = ("tfmtl report", "tfmtl ui")
"""Beginnings of the commands that tests/pipelines/end_to_end/test_run_report.py runs."""
HISTORY = ("tfmtl runs", "tfmtl clean")
"""Beginnings of the commands that are run after the pipeline of `shop.yaml`."""
ON_A_CLUSTER = ("tfmtl submit", "tfmtl schedule")
"""Beginnings of the commands that tests/pipelines/kubeflow/submission/test_submit.py runs."""
KOUBEI = ("tfmtl ingest panels", "tfmtl run examples/koubei")
"""Beginnings of the commands that tests/pipelines/test_koubei.py runs."""

JOIN = ("tfmtl simulate examples/join", "tfmtl simulate examples/late", "tfmtl join")
JOIN += ("tfmtl run examples/join", "tfmtl run examples/late")
"""Beginnings of the commands that tests/pipelines/end_to_end/test_join_run.py runs."""


def blocks(language, page=None):
    """Returns the code blocks of a language in a page, or in all pages."""
    texts = PAGES.values() if page is None else [PAGES[page]]
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [block for text in texts for block in pattern.findall(text)]


def commands():
    return [line for block in blocks("console") for line in block.strip().splitlines()]


def environment():
    """Returns the environment without the variable that TFT, imported by other tests, sets for TensorFlow."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return {**inherited, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


def call(command, folder, **options):
    words = shlex.split(command)
    assert words[0] == "tfmtl"
    program = [sys.executable, "-c", "from pipelines.cli import program; program()", *words[1:]]
    return subprocess.run(program, cwd=folder, env=environment(), capture_output=True, text=True, **options)


def invoke(command):
    """Runs a command in this process, which has TFX loaded, and returns what it prints."""
    words = shlex.split(command)
    assert words[0] == "tfmtl"
    result = CliRunner().invoke(main, words[1:])
    assert result.exit_code == 0, result.output
    return result.output


def write_log(path, rows=4000):
    """Writes a log with the columns of `shop.yaml`: phones click more, and expensive items are bought less."""
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
    by_this_file = [
        c
        for c in commands()
        if c.startswith(("tfmtl schema shop", "tfmtl run shop", "tfmtl serve", "tfmtl predict", "tfmtl score"))
    ]
    from_init = [c for c in commands() if c.startswith(("tfmtl init log.csv", "tfmtl run settings.yaml"))]
    compiled = [c for c in commands() if c.startswith("tfmtl compile")]
    history = [c for c in commands() if c.startswith(HISTORY)]
    of_data_sets = [c for c in commands() if c.startswith((*ALI_CCP, *JOIN, *KOUBEI, *REPORTS))]
    run_here = [*by_this_file, *from_init, *history, *compiled]
    submitted = [c for c in commands() if c.startswith(ON_A_CLUSTER)]
    assert set(commands()) == {*RUN_BY_CI, MOVIELENS, *of_data_sets, *run_here, *submitted}
    assert len(set(by_this_file)) == 6
    assert len(compiled) == 2
    ci = (REPOSITORY / ".ci" / "run").read_text()
    assert all(command in ci for command in RUN_BY_CI)


def test_settings_of_the_gates():
    document = Document(yaml.safe_load(blocks("yaml", "gates.md")[0]))
    thresholds = build(Mapping[str, Thresholds | None], document, ("thresholds",))
    assert thresholds["cvr"] is None
    assert thresholds["ctr"].slices["city"].required == ("london", "paris")
    assert build(ExportThresholds, document, ("export",)) == ExportThresholds(500.0, 20.0)


def test_settings_of_kubeflow():
    document = Document(yaml.safe_load(blocks("yaml", "kubeflow.md")[0]))
    settings = build(KubeflowSettings, document, ("kubeflow",))
    assert settings.destination == KubeflowSettings().destination
    assert set(settings.steps) == {"LogExampleGen", "Trainer"}


@pytest.mark.slow
def test_your_own_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(blocks("yaml", "own-data.md")[0])
    write_log(tmp_path / "log.csv")
    init = next(c for c in commands() if c.startswith("tfmtl init log.csv"))
    assert "next: tfmtl run settings.yaml" in invoke(init)
    assert "Test split" in invoke("tfmtl run settings.yaml")
    schema, serve, predict, score = (
        next(c for c in commands() if c.startswith(start))
        for start in ("tfmtl schema shop", "tfmtl serve", "tfmtl predict", "tfmtl score")
    )
    run, accept = sorted(c for c in commands() if c.startswith("tfmtl run shop"))
    assert "-> shop.schema.pbtxt" in invoke(schema)
    assert "pushed version" in invoke(run)
    assert "Anomalies" not in invoke(accept)
    assert "rows scored by version" in invoke(score)
    table, shown, cleaned = (invoke(c) for c in commands() if c.startswith(HISTORY))
    assert "ctr AUC" in table
    assert "LogExampleGen" in shown
    assert "not needed: 0 versions" in cleaned
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        rest_port = str(probe.getsockname()[1])
    program = [sys.executable, "-c", "from pipelines.cli import program; program()"]
    words = [*shlex.split(serve.replace("8500", port))[1:], "--rest-port", rest_port]
    with subprocess.Popen(
        [*program, *words], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            assert "serving shop on 127.0.0.1" in server.stdout.readline()
            predicted = call(predict.replace("8500", port), tmp_path)
            assert predicted.returncode == 0, predicted.stderr
            assert "5 rows scored by 'shop'" in predicted.stdout
            for request in blocks("sh", "clients.md") if shutil.which("curl") else ():
                done = subprocess.run(
                    ["sh", "-c", request.replace("8501", rest_port)], capture_output=True, text=True, check=True
                )
                assert "error" not in json.loads(done.stdout), done.stdout
            client = blocks("python", "serving.md")[0].replace("8500", port)
            script = client + "\nassert scores['ctcvr'].shape == (1,)\nassert 0 < scores['ctcvr'][0] < 1\n"
            done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        finally:
            server.terminate()
    for command in (c for c in commands() if c.startswith("tfmtl compile")):
        invoke(command)
        assert (tmp_path / "pipeline.yaml").exists()
        (tmp_path / "pipeline.yaml").unlink()


def test_reuse_code_runs_with_tensorflow_and_keras_only(tmp_path):
    """The code is a module of a package that is imported while every other distribution is hidden."""
    code = "\n".join(blocks("python", "reuse.md"))
    check = "assert {name: scores.shape for name, scores in logits.items()} == dict.fromkeys(TASKS, (1000,))\n"
    check += "assert 'task attention of purchase: entropy ' in '\\n'.join(lines)\n"
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


def test_ten_lines_of_python_run():
    code = blocks("python", "README.md")[0]
    assert 10 <= len(code.strip().splitlines()) <= 16
    check = "\nassert {name: values.shape for name, values in scores.items()} == dict.fromkeys(OUTPUTS, (4096,))\n"
    outputs = "OUTPUTS = ('ctr', 'ctcvr', 'purchase_given_click')\n"
    done = subprocess.run(
        [sys.executable, "-c", outputs + code + check], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_models_are_made_as_the_page_says():
    scope = {"spec": cases.pair(), "vocabulary_sizes": cases.SIZES}
    exec(blocks("python", "models.md")[0], scope)
    options = scope["model"].options
    assert (options.embedding_dim, options.wide, options.dropout) == (8, True, 0.3)


def test_training_settings_are_valid():
    one, recovered, calibrated, several, *_ = blocks("yaml", "training.md")
    model = config.build(ModelSettings, config.parse_yaml(calibrated), ("model",))
    options = config.build(MMoEOptions, config.Document(dict(model.options)))
    assert options.calibration == "isotonic"
    training = config.build(TrainingSettings, config.parse_yaml(one), ("training",))
    assert training.strategy.kind == "maml"
    recovery = config.build(TrainingSettings, config.parse_yaml(recovered), ("training",))
    assert (recovery.deterministic, recovery.checkpoint_minutes) == (True, 5)
    assert training.fine_tuning.max_epochs == 2
    assert config.build(TrainingSettings, config.parse_yaml(several), ("training",)).distribution.kind == "mirrored"


def test_data_checks_page_lists_every_bound():
    checks = config.build(DataChecks, config.parse_yaml(blocks("yaml", "data-checks.md")[0]), ("data_checks",))
    assert (checks.min_known, checks.ignore) == (None, ("hour",))
    rows = re.findall(r"^\| (`.*`) \| (\S+) \|", PAGES["data-checks.md"].split("## Bounds")[1], re.MULTILINE)
    listed = {name: float(default) for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    others = ("enabled", "ignore", "requests")
    assert listed == {f.name: f.default for f in dataclasses.fields(DataChecks) if f.name not in others}


def test_models_page_lists_every_model_and_example():
    rows = re.findall(r"^\| \[`(\w+)`\]\(\w+/\w+.md\) \|.*\| (?:`(\S+)` )?\|$", PAGES["models.md"], re.MULTILINE)
    assert {name for name, _ in rows} == set(MODELS)
    assert all((REPOSITORY / example).exists() for _, example in rows if example)


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_links_lead_to_files(page):
    folder = (DOCS / page).parent if (DOCS / page).exists() else REPOSITORY
    text = PAGES.get(page) or (REPOSITORY / page).read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", prose)
    assert [target for target in targets if not (folder / target).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page):
    named = re.findall(
        r"`((?:examples|serving|docs|tests|benchmarks)/[\w./-]*\w|(?:compare|ali_ccp|movielens)_\w+\.yaml)`",
        PAGES[page],
    )
    paths = [name if "/" in name else f"examples/{name}" for name in named]
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


def test_compatibility_lists_every_former_name():
    page = PAGES["compatibility.md"]
    former = {*RENAMED_REASONS, *ModelOptions.renamed_fields, *ModelOptions.renamed_values["space"]}
    assert len(former) > 10
    assert [name for name in former if f"`{name}`" not in page and f": {name}`" not in page] == []


def test_pre_commit_runs_what_make_test_runs(tmp_path):
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    recipe = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    checks = [
        line.strip()
        for line in recipe.split("test: venv")[1].split("-m pytest")[0].splitlines()
        if ".venv/bin/" in line
    ]
    assert [hook["entry"] for hook in hooks] == checks[:-1]
    shutil.copy(REPOSITORY / ".pre-commit-config.yaml", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run([sys.executable, "-m", "pre_commit", "install"], cwd=tmp_path, check=True, capture_output=True)
    assert "pre-commit" in (tmp_path / ".git" / "hooks" / "pre-commit").read_text(encoding="utf-8")
