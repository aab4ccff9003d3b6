"""What is counted while Ali-CCP is ingested."""

import collections

import numpy as np

from transforms.ali_ccp.features import Features
from transforms.ali_ccp.fields import CLICK, CONVERSION, FIELDS
from transforms.ali_ccp.options import IngestOptions
from transforms.ali_ccp.rejections import LineVerdict
from transforms.ali_ccp.skeleton import JoinedRows
from transforms.batches.raw_batch import SPLITS, Reject
from transforms.batches.report import IngestReport, SourceReport
from transforms.ingest.manifest import Column
from transforms.ingest.token_counts import TokenCounter, count_tokens

COMMON = "common"


class Tally:
    """Counts rows, what they have, and the tokens of the training rows.

    Args:
        options: what is kept.

    Attributes:
        report: of the skeleton's rows.
        common_report: of the common rows; those that were kept are accepted under `COMMON`.
        tokens: of the training rows.
        both: rows in which a field is in the skeleton and in the common row, by field.
        unknown: tokens of fields that Ali-CCP does not have, by field.
    """

    def __init__(self, options: IngestOptions):
        self._preparation = options.preparation
        self._rows = np.zeros(len(SPLITS), np.int64)
        self._present = np.zeros((len(SPLITS), len(FIELDS)), np.int64)
        self._longest = np.zeros(len(FIELDS), np.int64)
        self.report = IngestReport()
        self.common_report = IngestReport()
        self.tokens = TokenCounter(self._preparation.spec)
        self.both: collections.Counter[str] = collections.Counter()
        self.unknown: collections.Counter[str] = collections.Counter()

    def add_common(self, features: Features, verdict: LineVerdict, rejects: list[Reject]) -> None:
        """Counts the rows of a block of common rows."""
        self._add_features(features)
        kept = {COMMON: int(verdict.accepted.sum())}
        self.common_report = self.common_report.merge(_report(verdict.lines.source, kept, rejects))

    def add_rows(self, joined: JoinedRows, rejects: list[Reject]) -> None:
        """Counts the rows of a block of the skeleton."""
        self._add_features(joined.features)
        fields = self._preparation.fields
        self.both.update({field: int(count) for field, count in zip(fields, joined.both, strict=False) if count})
        counts = np.bincount(joined.split[joined.split >= 0], minlength=len(SPLITS))
        self._rows += counts
        for i in np.flatnonzero(counts).tolist():
            masks = joined.masks[joined.split == i]
            self._present[i] += [np.count_nonzero(masks >> np.uint32(place) & 1) for place in range(len(FIELDS))]
        accepted = {split: int(count) for split, count in zip(SPLITS, counts, strict=True) if count}
        self.report = self.report.merge(_report(joined.verdict.lines.source, accepted, rejects))

    def add_tokens(self, features: Features) -> None:
        """Counts the tokens of training rows, without those of their common rows."""
        for place, name in enumerate(self._preparation.columns):
            tokens = features.take(features.field == place).tokens
            if len(tokens):
                self.tokens.add_counts(name, count_tokens(tokens))

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each split has."""
        return dict(zip(SPLITS, self._rows.tolist(), strict=True))

    @property
    def columns(self) -> dict[str, Column]:
        """What is in the tf.Examples."""
        columns = {}
        for place, name in enumerate(self._preparation.columns):
            present = dict(zip(SPLITS, self._present[:, place].tolist(), strict=True))
            columns[name] = Column("tokens", present, int(self._longest[place]))
            if name in self._preparation.weight_columns:
                columns[self._preparation.weight_columns[name]] = Column("numbers", present, int(self._longest[place]))
        return {**columns, **{name: Column("labels", self.rows) for name in (CLICK, CONVERSION)}}

    def _add_features(self, features: Features) -> None:
        self.unknown.update(features.unknown)
        self._longest = np.maximum(self._longest, features.longest())


def _report(source: str, accepted: dict[str, int], rejects: list[Reject]) -> IngestReport:
    rejected = dict(collections.Counter(reject.reason for reject in rejects))
    return IngestReport({source: SourceReport(sum(accepted.values()) + len(rejects), accepted, rejected)})
