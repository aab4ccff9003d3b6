"""Evaluator that measures all outputs in one vectorized pass, and blesses the model that passes the gates."""

import json
import os
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import Artifact, Channel, artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import BLESSING_KEY, EVALUATION_KEY, EXAMPLES_KEY, MODEL_KEY
from tfx.utils import io_utils, path_utils

from pipelines.code_hash import code_hash
from pipelines.components.empty_artifact import present
from pipelines.evaluation.beam_evaluation import EvaluateFiles
from pipelines.evaluation.records import read_measured, write_gates
from pipelines.evaluation.tfma_files import write_tfma_files
from pipelines.gates.export_gates import export_gates
from pipelines.gates.gate import Gate, failed
from pipelines.gates.metric_gates import metric_gates
from pipelines.gates.thresholds import ExportThresholds, Thresholds
from tfmtl.config import Document, build, to_plain
from tfmtl.spec import DatasetSpec

BASELINE = "baseline_model"
_SPLIT = "test"


class LogEvaluatorExecutor(base_beam_executor.BaseBeamExecutor):
    """Measures the model and the served one on the test split, checks the gates, and blesses the model or does not."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the metrics, the gates, TFMA's files and the blessing."""
        spec = DatasetSpec.from_yaml(exec_properties["spec"])
        gates = Document(json.loads(exec_properties["gates"]))
        thresholds = build(Mapping[str, Thresholds | None], gates, ("thresholds",))
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        baseline = next(iter(present(input_dict.get(BASELINE))), None)
        folder = artifact_utils.get_single_uri(output_dict[EVALUATION_KEY])
        candidate = path_utils.serving_model_path(model.uri)
        served = path_utils.serving_model_path(baseline.uri) if baseline else None
        files = [
            file
            for uri in artifact_utils.get_split_uris(input_dict[EXAMPLES_KEY], _SPLIT)
            for file in fileio.glob(io_utils.all_files_pattern(uri))
        ]
        with self._make_beam_pipeline() as pipeline:
            _ = pipeline | beam.Create(sorted(files)) | EvaluateFiles(spec, candidate, served, folder)
        measured = read_measured(folder)
        found = metric_gates(measured, [output.name for output in spec.outputs], thresholds)
        found += _gates_of_export(candidate, build(ExportThresholds, gates, ("export",)))
        write_gates(folder, found)
        write_tfma_files(spec, folder, measured, is_blessed=not failed(found), has_baseline=served is not None)
        _bless(artifact_utils.get_single_instance(output_dict[BLESSING_KEY]), model, baseline, not failed(found))


class LogEvaluatorSpec(ComponentSpec):
    """Inputs, outputs and parameters of `LogEvaluator`."""

    PARAMETERS = {name: ExecutionParameter(type=str) for name in ("spec", "gates", "code")}  # noqa: RUF012
    INPUTS = {  # noqa: RUF012
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        BASELINE: ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class LogEvaluator(base_beam_component.BaseBeamComponent):
    """Component that evaluates a model on the test split beside the served one, and blesses it if it passes the gates.

    Args:
        examples: Examples of `LogExampleGen`.
        model: Model of the Trainer.
        baseline_model: Last blessed model; no artifact, or one that stands for none, if there is none.
        spec: Spec of the dataset.
        thresholds: Thresholds of the gates by output; null for no gates.
        export: Thresholds of the export.
    """

    SPEC_CLASS = LogEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(LogEvaluatorExecutor)

    def __init__(
        self,
        examples: Channel,
        model: Channel,
        baseline_model: Channel,
        spec: DatasetSpec,
        thresholds: Mapping[str, Thresholds | None],
        export: ExportThresholds,
    ):
        gates = {"thresholds": {name: one and to_plain(one) for name, one in thresholds.items()}}
        super().__init__(
            LogEvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                evaluation=Channel(type=standard_artifacts.ModelEvaluation),
                blessing=Channel(type=standard_artifacts.ModelBlessing),
                spec=spec.to_json(),
                gates=json.dumps({**gates, "export": to_plain(export)}, sort_keys=True),
                code=code_hash("pipelines.components.evaluator"),
            )
        )


def _gates_of_export(candidate: str, thresholds: ExportThresholds) -> list[Gate]:
    """Returns the gates of the export, which is copied to a local folder first if it is elsewhere."""
    if pathlib.Path(candidate).is_dir():
        return export_gates(candidate, thresholds)
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, "export")
        io_utils.copy_dir(candidate, local)
        return export_gates(local, thresholds)


def _bless(blessing: Artifact, model: Artifact, baseline: Artifact | None, is_blessed: bool) -> None:
    """Writes the blessing as TFX's Evaluator does."""
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    if baseline is not None:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline.id)
    name = constants.BLESSED_FILE_NAME if is_blessed else constants.NOT_BLESSED_FILE_NAME
    value = constants.BLESSED_VALUE if is_blessed else constants.NOT_BLESSED_VALUE
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
