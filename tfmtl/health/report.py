"""HealthReport: the measures of all mechanisms of a model."""

from collections.abc import Iterable

from tfmtl.health.health import Health


class HealthReport(tuple[Health, ...]):
    """Tuple of the measures of a model's mechanisms, which a notebook shows as a table.

    Args:
        measures: Health of each mechanism by measure.

    Example:
        >>> from tfmtl.health import Bound, Health, HealthReport
        >>> report = HealthReport([Health("gate", "gate of buy", "expert_use", 0.9, Bound(low=0.05))])
        >>> len(report), "gate of buy" in report._repr_html_()
        (1, True)
    """

    __slots__ = ()

    def __new__(cls, measures: Iterable[Health] = ()) -> "HealthReport":
        return super().__new__(cls, tuple(measures))

    def _repr_html_(self) -> str:
        from tfmtl.html_views import health_html

        return health_html(self)
