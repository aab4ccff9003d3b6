"""Search of the demo's settings whose trials are not trained: the objective is a function of the values."""

import math
import pathlib

import yaml

from pipelines.tuning.plan import load_plan
from pipelines.tuning.search import search
from pipelines.tuning.trials import TrialFolder

EXAMPLES = pathlib.Path(__file__).parents[3] / "examples"
SPACE = {
    "options.dropout": {"kind": "range", "low": 0.0, "high": 0.5, "digits": 3},
    "training.learning_rate": {"kind": "range", "low": 1e-4, "high": 1e-1, "log": True, "digits": 3},
}
EPOCHS = 4


def document(**changes):
    plain = {
        "base": str(EXAMPLES / "demo.yaml"),
        "name": "small",
        "model": {
            "name": "mmoe",
            "preset": None,
            "options": {"num_experts": 2, "expert_units": [8], "tower_units": [4]},
        },
        "training": {"max_epochs": EPOCHS, "learning_rate": 0.05, "batch_size": 256},
        "tune": {"space": SPACE},
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not None}


def write(folder, **changes):
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(document(**changes), sort_keys=False), encoding="utf-8")
    return path


def plan(folder, seed=0, method="bayesian", **changes):
    folder.mkdir(exist_ok=True)
    return load_plan(write(folder, **changes), seed=seed, method=method)


def quadratic(request):
    """Score of a trial: 1 at a dropout of 0.2 and a learning rate of 1e-2, less elsewhere."""
    rate = math.log10(request.training["learning_rate"])
    return 1 - (request.options.get("dropout", 0.0) - 0.2) ** 2 - 0.1 * (rate + 2) ** 2


class FakeTrials:
    """Stands for the processes: the objective approaches the score of the values in equal steps, and may be stopped."""

    def __init__(self, fails=(), score=quadratic, code="c"):
        self.requests, self.fails, self.score, self.code = [], fails, score, code

    def __call__(self, request, on_line):
        self.requests.append(request)
        on_line("epoch 1")
        sign = 1 if request.maximize else -1
        values = []
        status = "finished"
        for epoch in range(EPOCHS):
            values.append(self.score(request) - 0.1 * (EPOCHS - 1 - epoch))
            threshold = request.thresholds[epoch] if request.thresholds else None
            if threshold is not None and max(values) < threshold:
                status = "stopped"
                break
        outcome = {"status": status, "metric": sign * values[-1], "epoch": len(values), "code": self.code, "error": ""}
        if len(self.requests) in self.fails:
            outcome |= {"status": "failed", "metric": None, "epoch": None, "error": "loss is nan in epoch 1"}
        monitor = f"val_{request.training['monitor']}"
        return {**outcome, "history": {monitor: [sign * value for value in values]}}, "epoch 1\nloss: nan\n"


class Observer:
    def __init__(self):
        self.started, self.lines, self.ended = [], [], []

    def start(self, number):
        self.started.append(number)

    def line(self, text):
        self.lines.append(text)

    def end(self, trial):
        self.ended.append(trial)


def run(made, folder, trials, **options):
    """Runs the missing trials of a folder; returns all trials, the fake processes and the observer."""
    fake, observer = FakeTrials(**options), Observer()
    return search(made, "data", TrialFolder(folder), trials, fake, observer), fake, observer
