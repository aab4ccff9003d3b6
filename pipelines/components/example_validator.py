"""ExampleValidator that compares a log with a schema, the last accepted log and requests, and stops the run."""

import json
import os
from typing import Any

import tensorflow_data_validation as tfdv
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import Artifact, BaseChannel, Channel, artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from pipelines.code_hash import code_hash
from pipelines.components.accepted_log import ACCEPTED
from pipelines.components.empty_artifact import present
from pipelines.components.example_gen import ingest_report
from pipelines.data_checks.anomalies import Findings, data_error
from pipelines.data_checks.check import LogSummary, check_data
from pipelines.data_checks.options import DataChecks
from pipelines.data_checks.requests import request_statistics
from pipelines.data_checks.schema import parse_schema
from tfmtl.config import ConfigError, Document, build, to_plain
from tfmtl.spec import DatasetSpec
from transforms.ingest.sampling import SAMPLE
from transforms.storage.files import find_files, fingerprint

STATISTICS, EXAMPLES, ANOMALIES = "statistics", "examples", "anomalies"
ACCEPTED_STATISTICS, ACCEPTED_EXAMPLES = "accepted_statistics", "accepted_examples"
FINDINGS = "data_checks.json"
REFUSE, ACCEPT, REPORT = "refuse", "accept", "report"
"""What anomalies do: stop the run, are accepted by the user, or are only reported."""


class LogExampleValidatorExecutor(base_executor.BaseExecutor):
    """Writes `data_checks.json`, and raises `DataError` for anomalies unless they are accepted."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Checks the log."""
        mode = exec_properties["mode"]
        if mode not in (REFUSE, ACCEPT, REPORT):
            raise ConfigError(f"anomalies should be {REFUSE}, {ACCEPT} or {REPORT}. Received: {mode!r}")
        checks: DataChecks = build(DataChecks, Document(json.loads(exec_properties["checks"])))
        spec = DatasetSpec.from_yaml(exec_properties["spec"])
        output = artifact_utils.get_single_instance(output_dict[ANOMALIES])
        output.split_names = artifact_utils.encode_split_names([SAMPLE])
        log = _summary(input_dict[STATISTICS], input_dict[EXAMPLES])
        if log is None:
            raise FileNotFoundError("The statistics of the log should exist. Received: no file. Run with --no-cache.")
        earlier = present(input_dict.get(ACCEPTED_STATISTICS))
        accepted = _summary(earlier, input_dict.get(ACCEPTED_EXAMPLES, []))
        schema = parse_schema(exec_properties["schema"]) if exec_properties["schema"] else None
        requests = request_statistics(checks.requests, spec) if checks.requests and checks.enabled else None
        findings = check_data(log, spec, checks, schema=schema, accepted=accepted, requests=requests)
        if earlier and accepted is None:
            note = "The statistics of the last accepted run no longer exist, so that the log is not compared with them."
            findings += Findings(notes=(note,))
        with fileio.open(os.path.join(output.uri, FINDINGS), "w") as file:
            file.write(findings.to_json())
        if findings.anomalies and mode == REFUSE:
            raise data_error(findings)
        output.set_int_custom_property(ACCEPTED, int(mode == ACCEPT))


class LogExampleValidatorSpec(ComponentSpec):
    """Inputs, outputs and parameters of `LogExampleValidator`."""

    PARAMETERS = {  # noqa: RUF012
        name: ExecutionParameter(type=str) for name in ("spec", "checks", "schema", "requests", "mode", "code")
    }
    INPUTS = {  # noqa: RUF012
        STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        ACCEPTED_STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        ACCEPTED_EXAMPLES: ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }
    OUTPUTS = {ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies)}  # noqa: RUF012


class LogExampleValidator(base_component.BaseComponent):
    """Component that checks a log before a model is trained on it (`pipelines.data_checks.check.check_data`).

    TFX's own ExampleValidator writes anomalies and goes on. This one fails if it finds some, so that no later step
    runs, on Kubeflow either. The schema is a parameter and not a file, so that its text is part of the cache's key and
    no container needs the file.

    Args:
        statistics: Statistics of the sample of the log.
        examples: Examples of `LogExampleGen`, with the report of its rows.
        spec: Spec of the dataset.
        checks: Bounds.
        schema: Text of the schema with which the log is compared; empty for none.
        mode: `refuse`, `accept` or `report`: whether anomalies stop the run, become the normal, or are only written; or
            a parameter of the run.
        accepted_statistics: Statistics of the last accepted log; None for none.
        accepted_examples: Examples of that log; None for none.
    """

    SPEC_CLASS = LogExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(LogExampleValidatorExecutor)

    def __init__(
        self,
        statistics: BaseChannel,
        examples: BaseChannel,
        spec: DatasetSpec,
        checks: DataChecks,
        schema: str = "",
        mode: object = REPORT,
        accepted_statistics: BaseChannel | None = None,
        accepted_examples: BaseChannel | None = None,
    ):
        files = find_files(checks.requests) if checks.requests else []
        super().__init__(
            LogExampleValidatorSpec(
                statistics=statistics,
                examples=examples,
                accepted_statistics=accepted_statistics,
                accepted_examples=accepted_examples,
                anomalies=Channel(type=standard_artifacts.ExampleAnomalies),
                spec=spec.to_json(),
                checks=json.dumps(to_plain(checks), sort_keys=True),
                schema=schema,
                requests=fingerprint(files) if files else "",
                mode=mode,
                code=code_hash("pipelines.components.example_validator"),
            )
        )


def read_findings(anomalies_uri: str) -> Findings:
    """Reads the findings of `LogExampleValidator`.

    Args:
        anomalies_uri: Folder of its output.
    """
    with fileio.open(os.path.join(anomalies_uri, FINDINGS)) as file:
        return Findings.from_json(file.read())


def read_statistics(statistics_uri: str) -> Any:
    """Reads the statistics of the sample of a log, a `DatasetFeatureStatisticsList`.

    Args:
        statistics_uri: Folder of the output of StatisticsGen.
    """
    (path,) = fileio.glob(os.path.join(statistics_uri, f"Split-{SAMPLE}", "*"))
    return tfdv.load_stats_binary(path)


def _summary(statistics: list[Artifact], examples: list[Artifact]) -> LogSummary | None:
    """Returns the summary of a log; None if there is no artifact, or its files no longer exist."""
    if not statistics or not examples:
        return None
    folder = os.path.join(statistics[0].uri, f"Split-{SAMPLE}")
    if not fileio.exists(folder) or not fileio.exists(examples[0].uri):
        return None
    found = stats_artifact_utils.load_statistics(statistics[0], SAMPLE).proto()
    return LogSummary(found, ingest_report(examples[0].uri).total)
