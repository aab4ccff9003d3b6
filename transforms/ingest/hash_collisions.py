"""Collisions of hashed features, estimated from their numbers of different tokens."""

import math
from collections.abc import Mapping

import pyarrow as pa

from tfmtl.features import TOKENS
from tfmtl.spec import DatasetSpec
from transforms.batches.distinct_tokens import DistinctTokens
from transforms.batches.report import IngestReport


def distinct_tokens(spec: DatasetSpec, typed: pa.RecordBatch) -> dict[str, DistinctTokens]:
    """Returns the sketches of the tokens of hashed features; those of features that share a hash are one.

    Args:
        spec: Spec of the dataset.
        typed: Typed columns of training rows (`transforms.validation.validate.ValidatedBatch.typed`).
    """
    found: dict[str, DistinctTokens] = {}
    for feature in spec.features:
        owner = spec.vocabulary_of(feature)
        if isinstance(owner, TOKENS) and owner.hashed is not None:
            tokens = DistinctTokens.of(typed.column(feature.name).flatten())
            found[owner.name] = found[owner.name].merge(tokens) if owner.name in found else tokens
    return found


def collisions(tokens: float, buckets: int) -> float:
    """Returns the expected share of tokens that share their bucket with another one, `1 - exp(-(n - 1) / m)`.

    Args:
        tokens: Number of different tokens n.
        buckets: Number of buckets m.

    Example:
        >>> round(collisions(1000, 1_000_000), 4)
        0.001
    """
    return -math.expm1(-max(tokens - 1, 0) / buckets)


def describe_hashes(spec: DatasetSpec, report: IngestReport) -> list[str]:
    """Returns a line for each hashed feature whose tokens were estimated.

    Args:
        spec: Spec of the dataset, with the numbers of buckets.
        report: Report of the ingested log.
    """
    lines = []
    for name, found in estimates(spec, report).items():
        tokens, buckets = found
        share = collisions(tokens, buckets)
        lines.append(
            f"hashed {name}: about {tokens:,.0f} tokens in {buckets:,} buckets; {share:.1%} of them share a bucket"
        )
    return lines


def estimates(spec: DatasetSpec, report: IngestReport) -> Mapping[str, tuple[float, int]]:
    """Returns the estimated number of tokens, and the number of buckets, of each hashed feature of a report.

    Args:
        spec: Spec of the dataset.
        report: Report of the ingested log.
    """
    tokens = [one for one in spec.features if isinstance(one, TOKENS)]
    buckets = {one.name: one.hashed.buckets for one in tokens if one.hashed is not None}
    known = {name: found for name, found in report.distinct.items() if name in buckets}
    return {name: (found.estimate(), buckets[name]) for name, found in known.items()}
