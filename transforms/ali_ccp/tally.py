"""Counts that the ingestion of Ali-CCP reports: rows, present fields and tokens."""

import collections

import numpy as np

from transforms.ali_ccp.features import Features
from transforms.ali_ccp.fields import CLICK, CONVERSION, FIELDS
from transforms.ali_ccp.options import IngestOptions
from transforms.ali_ccp.skeleton import JoinedRows
from transforms.batches.raw_batch import SPLITS, Reject
from transforms.batches.report import IngestReport, SourceReport
from transforms.ingest.manifest import Column
from transforms.ingest.token_counts import TokenCounter, count_tokens
from transforms.validation.rejections import RowRejections

COMMON = "common"


class Tally:
    """Counts rows, the fields that they have, and the tokens of the train split.

    Args:
        options: Selection of fields and values.

    Attributes:
        report: Numbers of rows of the skeleton.
        common_report: Numbers of common rows; the accepted ones are counted as split `COMMON`.
        tokens: Counts of the tokens of the train split.
        in_both: Number of rows in which a field is in the skeleton and in the common row, by field.
        unknown: Number of tokens of each field that Ali-CCP does not have.
    """

    def __init__(self, options: IngestOptions):
        self._preparation = options.preparation
        self._rows = np.zeros(len(SPLITS), np.int64)
        self._present = np.zeros((len(SPLITS), len(FIELDS)), np.int64)
        self._longest = np.zeros(len(FIELDS), np.int64)
        self.report = IngestReport()
        self.common_report = IngestReport()
        self.tokens = TokenCounter(self._preparation.spec)
        self.in_both: collections.Counter[str] = collections.Counter()
        self.unknown: collections.Counter[str] = collections.Counter()

    def add_common(self, features: Features, rejections: RowRejections, rejects: list[Reject]) -> None:
        """Counts the common rows of a block.

        Args:
            features: Features of the accepted rows.
            rejections: Rejections of the rows.
            rejects: All rejects of the block.
        """
        self._add_features(features)
        accepted = {COMMON: len(rejections.accepted)}
        self.common_report = self.common_report.merge(_build_report(rejections.source, accepted, rejects))

    def add_rows(self, joined: JoinedRows, rejects: list[Reject]) -> None:
        """Counts the skeleton rows of a block.

        Args:
            joined: Rows of the block.
            rejects: All rejects of the block.
        """
        self._add_features(joined.features)
        fields = self._preparation.fields
        self.in_both.update({field: int(count) for field, count in zip(fields, joined.in_both, strict=False) if count})
        counts = np.bincount(joined.split[joined.split >= 0], minlength=len(SPLITS))
        self._rows += counts
        for split in np.flatnonzero(counts).tolist():
            masks = joined.masks[joined.split == split]
            self._present[split] += [np.count_nonzero(masks >> np.uint32(i) & 1) for i in range(len(FIELDS))]
        accepted = {split: int(count) for split, count in zip(SPLITS, counts, strict=True) if count}
        self.report = self.report.merge(_build_report(joined.rejections.source, accepted, rejects))

    def add_tokens(self, features: Features) -> None:
        """Counts the tokens of rows of the train split, without those of their common rows.

        Args:
            features: Features of the rows.
        """
        for i, name in enumerate(self._preparation.columns):
            tokens = features.filter(features.field == i).tokens
            if len(tokens):
                self.tokens.add_counts(name, count_tokens(tokens))

    @property
    def rows(self) -> dict[str, int]:
        """Number of rows of each split."""
        return dict(zip(SPLITS, self._rows.tolist(), strict=True))

    @property
    def columns(self) -> dict[str, Column]:
        """Description of each feature of the tf.Examples, by name."""
        columns = {}
        for i, name in enumerate(self._preparation.columns):
            present = dict(zip(SPLITS, self._present[:, i].tolist(), strict=True))
            columns[name] = Column("tokens", present, int(self._longest[i]))
            if name in self._preparation.weight_columns:
                columns[self._preparation.weight_columns[name]] = Column("numbers", present, int(self._longest[i]))
        return {**columns, **{name: Column("labels", self.rows) for name in (CLICK, CONVERSION)}}

    def _add_features(self, features: Features) -> None:
        self.unknown.update(features.unknown)
        self._longest = np.maximum(self._longest, features.longest())


def _build_report(source: str, accepted: dict[str, int], rejects: list[Reject]) -> IngestReport:
    rejected = dict(collections.Counter(reject.reason for reject in rejects))
    return IngestReport({source: SourceReport(sum(accepted.values()) + len(rejects), accepted, rejected)})
