"""Mode of the check of a log, which on a cluster is a parameter of the run."""

import pytest

from pipelines.components.example_validator import LogExampleValidatorExecutor
from tfmtl.config import ConfigError


def test_an_unknown_mode_is_refused_and_not_taken_for_one_that_lets_anomalies_pass():
    parameters = {"spec": "", "checks": "{}", "schema": "", "mode": "acept"}
    with pytest.raises(ConfigError, match=r"anomalies should be refuse, accept or report. Received: 'acept'"):
        LogExampleValidatorExecutor().Do({}, {}, parameters)
