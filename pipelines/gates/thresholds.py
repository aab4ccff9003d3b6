"""Thresholds of the gates: of each output, of its scenarios, and of the export."""

import dataclasses
from collections.abc import Mapping

from tfmtl.config import require


@dataclasses.dataclass(frozen=True)
class ScenarioThresholds:
    """Requirements on the test metrics of one output in each scenario.

    A scenario is refused only if its metric is beyond the bound with the confidence of the output's thresholds over all
    scenarios together (Bonferroni): with 1,000 scenarios, some are beyond any bound by chance. Scenarios with fewer
    rows than `min_rows` or `min_positives` are not judged, unless they are required.

    Attributes:
        min_auc: Lowest accepted AUC of a binary task; None for no bound.
        calibration: Lowest and highest accepted ratio of the mean prediction to the mean label; None for no bound.
        max_auc_drop: Largest accepted decrease of the AUC from that of the last blessed model on the same rows; None
            for no bound.
        min_rows: Number of rows from which a scenario is judged.
        min_positives: Number of positive, and of negative, rows from which a scenario of a binary task is judged.
        required: Scenarios that the test split should have, with enough rows to be judged.

    Example:
        >>> from pipelines.gates.thresholds import ScenarioThresholds
        >>> ScenarioThresholds(min_auc=0.6, required=("search", "home")).min_rows
        500
    """

    min_auc: float | None = 0.5
    calibration: tuple[float, ...] | None = (0.5, 2.0)
    max_auc_drop: float | None = 0.05
    min_rows: int = 500
    min_positives: int = 20
    required: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_bounds(self)


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Requirements on the test metrics of one output; the model is blessed if every output meets its own.

    Attributes:
        min_auc: Lowest accepted AUC of a binary task; None for no bound.
        calibration: Lowest and highest accepted ratio of the mean prediction to the mean label; None for no bound.
        max_auc_drop: Largest accepted decrease of the AUC from that of the last blessed model on the same rows. The
            model is refused if the decrease exceeds this with the probability `confidence`. None for no bound.
        min_gini: Lowest accepted normalized Gini coefficient of a value; None for no bound.
        max_gini_drop: Largest accepted decrease of that coefficient from that of the last blessed model on the same
            rows, as for `max_auc_drop`.
        max_nmae: Highest accepted normalized mean absolute error of a count; None for no bound. It does not apply to
            values: the error of the expected value of a rare event is near 2 for every model.
        max_nmae_rise: Largest accepted increase of that error from that of the last blessed model on the same rows, as
            for `max_auc_drop`.
        min_rows: Smallest number of test rows in the output's space by which a model is judged.
        min_positives: Smallest number of positive, and of negative, test rows of a binary task.
        confidence: Probability with which a model has to be worse than the last blessed one, or worse than the bound of
            a scenario, to be refused.
        slices: Requirements on each scenario, by the name of the spec's scenario. Without an entry, those of
            `ScenarioThresholds`.

    Example:
        >>> from pipelines.gates.thresholds import Thresholds
        >>> Thresholds(min_auc=0.6, calibration=(0.9, 1.1)).max_auc_drop
        0.01
    """

    min_auc: float | None = 0.5
    calibration: tuple[float, ...] | None = (0.5, 2.0)
    max_auc_drop: float | None = 0.01
    min_gini: float | None = 0.0
    max_gini_drop: float | None = 0.02
    max_nmae: float | None = 1.0
    max_nmae_rise: float | None = 0.02
    min_rows: int = 200
    min_positives: int = 20
    confidence: float = 0.95
    slices: Mapping[str, ScenarioThresholds] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_bounds(self)
        for name in ("max_nmae", "max_nmae_rise", "max_gini_drop"):
            value = getattr(self, name)
            require(value is None or value >= 0, name, "at least 0, or null", value)
        is_valid = self.min_gini is None or -1 <= self.min_gini <= 1
        require(is_valid, "min_gini", "in [-1, 1], or null", self.min_gini)
        require(0.5 < self.confidence < 1, "confidence", "between 0.5 and 1", self.confidence)


@dataclasses.dataclass(frozen=True)
class ExportThresholds:
    """Requirements on the exported SavedModel.

    Attributes:
        max_megabytes: Largest accepted size of its files in megabytes (10^6 bytes); None for no bound.
        max_latency_ms: Largest accepted median time of a request of one row through the embedded server on this
            machine, in milliseconds; None for no bound.

    Example:
        >>> from pipelines.gates.thresholds import ExportThresholds
        >>> ExportThresholds(max_megabytes=500).max_latency_ms
        100.0
    """

    max_megabytes: float | None = None
    max_latency_ms: float | None = 100.0

    def __post_init__(self) -> None:
        for name in ("max_megabytes", "max_latency_ms"):
            value = getattr(self, name)
            require(value is None or value > 0, name, "above 0, or null", value)


def _check_bounds(bounds: Thresholds | ScenarioThresholds) -> None:
    require(bounds.min_auc is None or 0 <= bounds.min_auc <= 1, "min_auc", "in [0, 1], or null", bounds.min_auc)
    band = bounds.calibration
    ordered = band is None or (len(band) == 2 and 0 < band[0] < band[1])
    require(ordered, "calibration", "two numbers, the lower first, or null", band and list(band))
    drop = bounds.max_auc_drop
    require(drop is None or drop >= 0, "max_auc_drop", "at least 0, or null", drop)
    for name in ("min_rows", "min_positives"):
        require(getattr(bounds, name) >= 1, name, "at least 1", getattr(bounds, name))
