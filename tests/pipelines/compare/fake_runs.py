"""Comparisons whose runs are not trained: their scores depend on the seed and on the option `noise`."""

import dataclasses
import threading

from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.plan.candidates import Candidate, Comparison
from pipelines.compare.plan.settings import ModelEntry
from pipelines.compare.runs.result import write_run
from pipelines.compare.runs.runner import Runner
from pipelines.compare.runs.subprocesses import RunFailedError
from pipelines.settings import ModelSettings, Settings
from pipelines.training_settings import TrainingSettings
from tests.pipelines.compare.cases import SPEC, columns, noisy, result, settings

DATA = columns()
BASE = Settings(name="x", spec=SPEC, model=ModelSettings("mmoe"), training=TrainingSettings(monitor="ctr_auc"))
AS_GIVEN = 2.0
"""Noise of a row's settings as they are."""


def comparison(space=None, **changes):
    """Two rows of MMoE with the same space, which holds the option `noise` unless it is empty."""
    space = space or {}
    given = {"options.noise": AS_GIVEN} if "options.noise" in space else {}
    entry = ModelEntry("mmoe", space=space)
    made = dataclasses.replace(settings(("base", "ours")), models={"base": entry, "ours": entry}, **changes)
    rows = tuple(Candidate(row, "mmoe", {"name": row}, {"max_epochs": 2}, space, given) for row in made.models)
    return Comparison(made, BASE, rows)


class FakeRuns:
    """Stands for the subprocesses.

    Args:
        store: Store that keeps the runs.
        fails: Titles of the jobs that fail.
        test: Columns of the test split; the scores are those of the eval split.
        code: Hash of the code.
        diverges: Function of a job that tells whether its scores are not finite.
        noise: Function of a job and its option, which gives the noise of the scores.
    """

    def __init__(
        self, store, fails=(), test=DATA, code="c", diverges=lambda job: False, noise=lambda job, noise: noise
    ):
        self.store, self.fails, self.test, self.code = store, fails, test, code
        self.diverges, self.noise = diverges, noise
        self.done, self.jobs, self.running, self.most_running = [], [], 0, 0
        self._lock = threading.Lock()

    def __call__(self, job, on_line):
        with self._lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        on_line("epoch 1")
        with self._lock:
            self.running -= 1
            if job.title in self.fails:
                raise RunFailedError("out of memory")
            self.done.append(job.title)
            self.jobs.append(job)
        scores = noisy(DATA, self.noise(job, job.options.get("noise", AS_GIVEN)), job.seed + 1)
        one = result(job.row, job.seed, scores, DATA, self.code, job=job)
        if self.test is not DATA:
            metrics = {**one.metrics, "test": evaluate(SPEC, self.test, scores)}
            one = dataclasses.replace(one, metrics=metrics)
        if self.diverges(job):
            one = dataclasses.replace(one, metrics={})
        with self.store.writing(job) as folder:
            write_run(folder, one, scores)


class Observer:
    def __init__(self):
        self.plans, self.lines, self.errors = [], [], []

    def plan(self, jobs, kept):
        self.plans.append((len(jobs), len(kept)))

    def start(self, job):
        pass

    def line(self, job, text):
        self.lines.append((job.title, text))

    def end(self, job, result, error=""):
        self.errors.append(error)


def run_until(store, made, count):
    """Runs a comparison that is interrupted after a number of runs; returns its outcome, if any, and the fake runs."""
    fake_runs = FakeRuns(store)

    def execute(job, on_line):
        if len(fake_runs.done) == count:
            raise KeyboardInterrupt
        fake_runs(job, on_line)

    try:
        return Runner(made, store, execute, Observer()).run(), fake_runs
    except KeyboardInterrupt:
        return None, fake_runs


def run(store, made, records=None, **options):
    """Runs a comparison; returns its outcome, the fake runs and the observer."""
    fake_runs, observer = FakeRuns(store, **options), Observer()
    return Runner(made, store, fake_runs, observer, records).run(), fake_runs, observer
