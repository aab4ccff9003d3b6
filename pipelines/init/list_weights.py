"""Weights of the tokens of a list, which are a list of numbers in another column."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.init.features import ColumnDecision
from tfmtl.features import MultiValuedFeature
from transforms.batches.parsing import parse_numbers
from transforms.batches.raw_batch import RawBatch

_WEIGHTS_NAME = re.compile(r"^(?P<stem>.+?)_?(weights?|scores?|probs?|probabilities|values)$")


def pair_weights(decisions: Sequence[ColumnDecision], batch: RawBatch) -> list[ColumnDecision]:
    """Makes a list of numbers the weights of a list of tokens.

    The name of the weights is that of the tokens, in the singular or plural, with an ending such as `_weights`; each
    row has as many weights as tokens, and no weight is negative.

    Args:
        decisions: Decisions about the columns.
        batch: Sample of the log.

    Returns:
        The decisions, in which the column of the weights is no feature of its own.
    """
    lists = {_stem(one.column.name): one for one in decisions if isinstance(one.feature, MultiValuedFeature)}
    result = {one.column.name: one for one in decisions}
    for one in decisions:
        match = _WEIGHTS_NAME.match(one.column.name.lower())
        tokens = lists.get(_stem(match["stem"])) if match and one.column.kind == "list" and one.feature else None
        if tokens is None or tokens is one or not _fit(tokens, one, batch):
            continue
        assert isinstance(tokens.feature, MultiValuedFeature)
        assert one.feature is not None
        feature = dataclasses.replace(tokens.feature, weights=one.feature.name)
        reason = f"{tokens.reason} with weights"
        result[tokens.column.name] = dataclasses.replace(tokens, feature=feature, reason=reason)
        reason = f"weights of {tokens.column.name}"
        result[one.column.name] = dataclasses.replace(one, feature=None, reason=reason)
    return list(result.values())


def _stem(name: str) -> str:
    return name.lower().rstrip("s")


def _fit(tokens: ColumnDecision, weights: ColumnDecision, batch: RawBatch) -> bool:
    if tokens.column.separator != weights.column.separator:
        return False
    lists = [_lists(one, batch) for one in (tokens, weights)]
    lengths = [pc.fill_null(pc.list_value_length(one), 0).to_numpy(zero_copy_only=False) for one in lists]
    if not np.array_equal(*lengths):
        return False
    numbers, invalid = parse_numbers(pc.list_flatten(lists[1]))
    return not invalid.any() and not (numbers < 0).any()


def _lists(one: ColumnDecision, batch: RawBatch) -> pa.Array:
    column = batch.column(one.column.name)
    return pc.split_pattern(column, one.column.separator) if one.column.separator else column
