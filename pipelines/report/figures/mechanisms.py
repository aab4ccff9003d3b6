"""Figures of what the mechanisms of a model do: heat maps of weights, and temperatures."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from pipelines.report.figures.style import FigureData, tooltips
from tfmtl.health import Profile

_ROW = 30
_MOST_ROWS = 40
_MOST_LABELS = 12
"""Largest number of columns whose cells have their value as text."""


def heat_map(profiles: Sequence[Profile]) -> dict[str, Any]:
    """Returns the mean weights of mechanisms with the same keys, one row for each mechanism and query.

    Args:
        profiles: Profiles with the same keys.
    """
    data = FigureData()
    rows: list[dict[str, Any]] = []
    names: list[str] = []
    for profile in profiles:
        queries = len(profile.mean)
        for index, (means, spreads) in enumerate(zip(profile.mean, profile.std, strict=True)):
            name = profile.mechanism if queries == 1 else f"{profile.mechanism}, {index + 1}"
            names.append(name)
            rows += [
                {"row": name, "key": key, "mean": float(mean), "standard_deviation": float(spread)}
                for key, mean, spread in zip(profile.keys, means, spreads, strict=True)
            ]
    names = names[:_MOST_ROWS]
    keys = list(profiles[0].keys)
    rows = [row for row in rows if row["row"] in names]
    base = alt.Chart(data.add(rows)).encode(
        x=alt.X("key:N", sort=keys, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=110)),
        y=alt.Y("row:N", sort=names, title=None, axis=alt.Axis(labelLimit=300)),
        tooltip=tooltips(row="", key="", mean=".4f", standard_deviation=".4f"),
    )
    legend = alt.Legend(format=".2~g", gradientLength=160)
    scale = alt.Scale(scheme="viridis")
    chart = base.mark_rect().encode(color=alt.Color("mean:Q", scale=scale, title="mean", legend=legend))
    if len(keys) <= _MOST_LABELS:  # Dark text on the light half of the scale, and light text on the dark half.
        values = [row["mean"] for row in rows]
        middle = (min(values) + max(values)) / 2
        ink = alt.condition(f"datum.mean > {middle}", alt.value("#000000"), alt.value("#ffffff"))
        chart += base.mark_text(fontSize=11).encode(text=alt.Text("mean:Q", format=".2f"), color=ink)
    return data.specification(chart, height=max(2, len(names)) * _ROW)


def groups(profiles: Sequence[Profile]) -> list[list[Profile]]:
    """Returns the profiles that one heat map shows: those of the same kind and keys.

    Args:
        profiles: All profiles.
    """
    found: dict[tuple[str, tuple[str, ...]], list[Profile]] = {}
    for profile in profiles:
        found.setdefault((profile.kind, profile.keys), []).append(profile)
    return list(found.values())
