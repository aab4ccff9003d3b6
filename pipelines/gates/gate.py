"""One gate: a value, its bound, and whether the model passes."""

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

PASSED: Literal["passed"] = "passed"
FAILED: Literal["failed"] = "failed"
NOT_JUDGED: Literal["not judged"] = "not judged"
Status = Literal["passed", "failed", "not judged"]


@dataclasses.dataclass(frozen=True)
class Gate:
    """Result of one gate.

    Attributes:
        name: What is measured: `auc`, `calibration`, `change of auc`, `rows` and others.
        status: `passed`; `failed`, with which the model is refused; or `not judged`, for lack of rows.
        output: Name of the output; empty for a gate of the whole model.
        slice: Name of the scenario; empty for all rows.
        value: Measured value; NaN if there is none.
        bound: Condition on the value, such as `>= 0.6`; empty if there is none.
        baseline: Value of the last blessed model on the same rows; NaN if there is none.
        interval: Confidence interval that decides, such as that of the difference from the baseline; None if the value
            decides.
        reason: Sentence that says why the gate failed or was not judged; empty if it passed.
    """

    name: str
    status: Status
    output: str = ""
    slice: str = ""
    value: float = math.nan
    bound: str = ""
    baseline: float = math.nan
    interval: tuple[float, float] | None = None
    reason: str = ""

    @property
    def title(self) -> str:
        """Name of the gate with its output and slice, such as `auc of ctr in search`."""
        of = f" of {self.output}" if self.output else ""
        where = f" in {self.slice}" if self.slice else ""
        return f"{self.name}{of}{where}"


def failed(gates: Iterable[Gate]) -> list[Gate]:
    """Returns the gates that failed.

    Args:
        gates: All gates.
    """
    return [gate for gate in gates if gate.status == FAILED]


def gates_to_json(gates: Sequence[Gate]) -> str:
    """Returns gates as JSON text, in which null stands for values that are not finite.

    Args:
        gates: The gates.
    """
    return json.dumps({"passed": not failed(gates), "gates": gates_to_plain(gates)}, indent=1)


def gates_to_plain(gates: Sequence[Gate]) -> list[dict[str, Any]]:
    """Returns gates as plain data, in which None stands for values that are not finite.

    Args:
        gates: The gates.
    """
    return [_without_nan(dataclasses.asdict(gate)) for gate in gates]


def gates_from_json(text: str) -> list[Gate]:
    """Returns the gates that `gates_to_json` wrote.

    Args:
        text: JSON text.
    """
    gates = []
    for plain in json.loads(text)["gates"]:
        interval = plain["interval"]
        bounds = None if interval is None else (_number(interval[0]), _number(interval[1]))
        numbers = {name: _number(plain[name]) for name in ("value", "baseline")}
        gates.append(Gate(**{**plain, **numbers, "interval": bounds}))
    return gates


def _without_nan(plain: dict[str, Any]) -> dict[str, Any]:
    def finite(value: Any) -> Any:
        if isinstance(value, tuple):
            return [finite(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {name: finite(value) for name, value in plain.items()}


def _number(value: float | None) -> float:
    return math.nan if value is None else value
