"""Names of the reports in a run folder."""

REPORT = "report.html"
"""Name of the report of the newest run."""
_REPORTS = "reports"


def report_name(number: int) -> str:
    """Returns the path of the report of a run in its run folder.

    Args:
        number: Number of the run.

    Example:
        >>> from pipelines.report.names import report_name
        >>> report_name(3)
        'reports/run_0003.html'
    """
    return f"{_REPORTS}/run_{number:04d}.html"
