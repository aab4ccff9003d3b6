"""Nodes of the pipeline that look up artifacts of earlier runs."""

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import BaseChannel, Channel, standard_artifacts

from pipelines.components.accepted_log import BLESSINGS, CHECKED, EXAMPLES, STATISTICS, AcceptedLogStrategy
from pipelines.components.baseline_resolver import CURRENT, BlessedPredecessorStrategy
from pipelines.components.vocabulary_resolver import CURRENT as CURRENT_SPAN
from pipelines.components.vocabulary_resolver import EarlierVocabulariesStrategy
from pipelines.components.warm_start_resolver import EarlierModelStrategy

BASELINE = "latest_blessed_model"
WARM_START = "warm_start_model"
ACCEPTED_LOG = "accepted_log"
EARLIER_VOCABULARIES = "earlier_vocabularies"
RESOLVERS = (BASELINE, WARM_START, ACCEPTED_LOG, EARLIER_VOCABULARIES)
"""Names of these nodes."""


def baseline_resolver(trainer: BaseComponent) -> Resolver:
    """Creates the resolver of the model with which the new one is compared.

    Args:
        trainer: Trainer of the new model.
    """
    channels = {**_models(), CURRENT: trainer.outputs["model"]}
    return Resolver(strategy_class=BlessedPredecessorStrategy, **channels).with_id(BASELINE)


def accepted_log_resolver() -> Resolver:
    """Creates the resolver of the log of the last accepted run."""
    types = {
        STATISTICS: standard_artifacts.ExampleStatistics,
        EXAMPLES: standard_artifacts.Examples,
        BLESSINGS: standard_artifacts.ModelBlessing,
        CHECKED: standard_artifacts.ExampleAnomalies,
    }
    channels = {key: Channel(type=artifact_type) for key, artifact_type in types.items()}
    return Resolver(strategy_class=AcceptedLogStrategy, **channels).with_id(ACCEPTED_LOG)


def warm_start_resolver(examples: BaseChannel, spans: bool) -> Resolver:
    """Creates the resolver of the blessed model of an earlier run that the training starts from.

    Args:
        examples: Examples of the present run.
        spans: Whether the pattern of the log has placeholders.
    """
    channels = {**_models(), EXAMPLES: examples}
    resolver = Resolver(strategy_class=EarlierModelStrategy, config={"has_spans": spans}, **channels)
    return resolver.with_id(WARM_START)


def vocabularies_resolver(span: BaseChannel) -> Resolver:
    """Creates the resolver of the examples whose vocabularies those of the present run continue.

    Args:
        span: Examples of the last span of the present run.
    """
    channels = {**_models(), EXAMPLES: Channel(type=standard_artifacts.Examples), CURRENT_SPAN: span}
    return Resolver(strategy_class=EarlierVocabulariesStrategy, **channels).with_id(EARLIER_VOCABULARIES)


def _models() -> dict[str, BaseChannel]:
    """Returns the channels of all models and of their blessings."""
    return {
        "model": Channel(type=standard_artifacts.Model),
        "model_blessing": Channel(type=standard_artifacts.ModelBlessing),
    }
