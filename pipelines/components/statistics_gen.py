"""StatisticsGen that computes the statistics of the log's sample in memory.

TFX's StatisticsGen runs a Beam job, whose cost for the 8 MB of a sample is mostly that of the job. The statistics are
the same: those of TFDV, whose computation in memory estimates the counts of tokens, which are counted here.
"""

import os
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import Artifact, Channel, artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import EXAMPLES_KEY, STATISTICS_KEY
from tfx.utils import io_utils
from tfx_bsl.coders import example_coder

from pipelines.code_hash import code_hash
from transforms.ingest.sampling import SAMPLE

_FILE = "FeatureStats.pb"
_BATCH_ROWS = 10_000


class SampleStatisticsExecutor(base_executor.BaseExecutor):
    """Reads the tf.Examples of the sample and writes their statistics as TFX does."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `FeatureStats.pb` of the split `sample`."""
        examples = artifact_utils.get_single_instance(input_dict[EXAMPLES_KEY])
        statistics = artifact_utils.get_single_instance(output_dict[STATISTICS_KEY])
        statistics.split_names = artifact_utils.encode_split_names([SAMPLE])
        statistics.span = examples.span
        folder = artifact_utils.get_split_uri([examples], SAMPLE)
        found = sample_statistics(sorted(fileio.glob(io_utils.all_files_pattern(folder))))
        path = os.path.join(artifact_utils.get_split_uri([statistics], SAMPLE), _FILE)
        fileio.makedirs(os.path.dirname(path))
        with fileio.open(path, "wb") as file:
            file.write(found.SerializeToString())


def sample_statistics(files: list[str]) -> Any:
    """Computes TFDV's statistics of the rows of TFRecord files, which are decoded at once.

    Args:
        files: Compressed TFRecord files of serialized tf.Examples.

    Returns:
        A `DatasetFeatureStatisticsList` of one dataset.
    """
    batches = tf.data.TFRecordDataset(files, "GZIP").batch(_BATCH_ROWS).as_numpy_iterator()
    rows = [row for batch in batches for row in batch.tolist()]
    decoded = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(rows)
    options = tfdv.StatsOptions()
    statistics = stats_impl.generate_statistics_in_memory(decoded, options)
    (dataset,) = statistics.datasets
    for feature in dataset.features:
        if feature.WhichOneof("stats") == "string_stats":
            tokens = pc.list_flatten(decoded.column(feature.path.step[0]))
            _set_counts(feature.string_stats, tokens, options.num_top_values, options.num_rank_histogram_buckets)
    return statistics


def _set_counts(string_stats: Any, tokens: pa.Array, top_values: int, ranks: int) -> None:
    """Sets the number of different tokens and the counts of the most frequent ones."""
    found = pc.value_counts(tokens)
    counts = pa.table({"token": found.field("values"), "count": found.field("counts")})
    order = pc.sort_indices(counts, sort_keys=[("count", "descending"), ("token", "descending")])
    frequent = counts.take(order[: max(top_values, ranks)]).to_pylist()
    string_stats.unique = counts.num_rows
    del string_stats.top_values[:]
    del string_stats.rank_histogram.buckets[:]
    for rank, row in enumerate(frequent):
        token, count = row["token"].decode(errors="replace"), row["count"]
        if rank < top_values:
            string_stats.top_values.add(value=token, frequency=count)
        if rank < ranks:
            string_stats.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=token, sample_count=count)


class SampleStatisticsSpec(ComponentSpec):
    """Inputs, outputs and parameters of `SampleStatisticsGen`."""

    PARAMETERS = {"code": ExecutionParameter(type=str)}  # noqa: RUF012
    INPUTS = {EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)}  # noqa: RUF012
    OUTPUTS = {STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics)}  # noqa: RUF012


class SampleStatisticsGen(base_component.BaseComponent):
    """Component that computes the statistics of the split `sample` of `LogExampleGen`.

    Args:
        examples: Examples of `LogExampleGen`.
    """

    SPEC_CLASS = SampleStatisticsSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(SampleStatisticsExecutor)

    def __init__(self, examples: Channel):
        super().__init__(
            SampleStatisticsSpec(
                examples=examples,
                statistics=Channel(type=standard_artifacts.ExampleStatistics),
                code=code_hash("pipelines.components.statistics_gen"),
            )
        )
