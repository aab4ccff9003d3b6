"""Draws the figures of docs/concepts.md: `python docs/figures/draw.py` writes them beside this file.

Each SVG names the hash of its chart, by which a test knows that it is up to date, and exchanges light and dark where
the reader's system is dark.
"""

import hashlib
import json
import pathlib
import sys

import altair as alt
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
from tfmtl.calibration import fit_platt

HERE = pathlib.Path(__file__).parent
WIDTH = 560
BLUE, ORANGE, GREY = "#1f5fa8", "#b5520b", "#5b6570"
DARK = "@media (prefers-color-scheme: dark) { svg { filter: invert(0.9) hue-rotate(180deg); } }"


def sigmoid(values):
    """Returns the logistic function of an array."""
    return 1 / (1 + np.exp(-values))


def chart(values, width=WIDTH, height=200):
    """Returns a chart of rows, given as dicts."""
    return alt.Chart(alt.Data(values=values), width=width, height=height)


def sample_spaces():
    """Draws 1,000 impressions by what happened to them, and the share that each output is."""
    counts = {"impressions": 1000, "clicks": 150, "conversions": 30}
    bars = [{"event": event, "rows": rows, "text": f"{rows:,}"} for event, rows in counts.items()]
    base = chart(bars, height=120).encode(
        alt.Y("event:N", sort=None, title=None),
        alt.X("rows:Q", title="rows", scale=alt.Scale(domain=[0, 1100]), axis=alt.Axis(tickCount=5)),
    )
    numbers = base.mark_text(align="left", dx=5, fontSize=13).encode(text="text:N")
    rates = [
        {"output": "ctr", "share": 150 / 1000, "text": "150 of 1,000 impressions"},
        {"output": "cvr", "share": 30 / 150, "text": "30 of 150 clicks"},
        {"output": "ctcvr", "share": 30 / 1000, "text": "30 of 1,000 impressions"},
    ]
    below = chart(rates, height=120).encode(
        alt.Y("output:N", sort=None, title=None),
        alt.X("share:Q", title="rate", axis=alt.Axis(format="%", tickCount=7), scale=alt.Scale(domain=[0, 0.35])),
    )
    texts = below.mark_text(align="left", dx=5, fontSize=13).encode(text="text:N")
    top = base.mark_bar(color=GREY, size=24) + numbers
    return alt.vconcat(top, below.mark_bar(color=BLUE, size=24) + texts)


def chain():
    """Draws the probability of two impressions after each task of a chain."""
    stages = ("impression", "click", "cart", "purchase")
    given = {"clicked often, bought seldom": (1, 0.3, 0.2, 0.2), "clicked seldom, bought often": (1, 0.1, 0.4, 0.3)}
    rows = [
        {"impression": name, "stage": stage, "probability": float(np.prod(rates[: i + 1]))}
        for name, rates in given.items()
        for i, stage in enumerate(stages)
    ]
    axes = {
        "x": alt.X("stage:N", sort=None, title=None, axis=alt.Axis(labelAngle=0)),
        "y": alt.Y(
            "probability:Q",
            title="probability (log scale)",
            axis=alt.Axis(values=[1, 0.3, 0.1, 0.03, 0.01]),
            scale=alt.Scale(type="log", domain=[0.008, 1]),
        ),
        "color": colours("impression", list(given)),
    }
    return chart(rows).mark_line(point=alt.OverlayMarkDef(size=70), strokeWidth=2.5).encode(**axes)


def selection_bias():
    """Draws how the true rate of conversion differs between all rows and the clicked ones."""
    rng = np.random.default_rng(0)
    interest = rng.normal(size=20_000)
    clicked = rng.random(20_000) < sigmoid(1.3 * interest - 2)
    cvr = sigmoid(1.1 * interest + 0.5 * rng.normal(size=20_000) - 1.6)
    edges = np.linspace(0, 0.8, 17)
    groups = {f"all rows: mean {cvr.mean():.2f}": cvr, f"clicked rows: mean {cvr[clicked].mean():.2f}": cvr[clicked]}
    rows = [
        {"rows": name, "rate": round(float(middle), 4), "share": round(float(share), 5)}
        for name, rates in groups.items()
        for middle, share in zip((edges[1:] + edges[:-1]) / 2, np.histogram(rates, edges)[0] / len(rates), strict=True)
    ]
    return (
        chart(rows)
        .mark_line(strokeWidth=2.5, interpolate="monotone")
        .encode(
            alt.X("rate:Q", title="true rate of conversion after a click", axis=alt.Axis(tickCount=8)),
            alt.Y("share:Q", title="share of the rows", axis=alt.Axis(format="%")),
            colours("rows", list(groups)),
        )
    )


def calibration():
    """Draws predicted against observed rates of logits with weighted positives, before and after a fitted map."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=40_000) - 2
    labels = rng.random(40_000) < sigmoid(truth)
    logits = truth + np.log(5)  # The optimum of a loss whose positive rows have the weight 5.
    fitted = fit_platt(logits[:20_000], labels[:20_000])
    predictions = {"positives weighted by 5": sigmoid(logits), "the same, with a fitted map": sigmoid(fitted(logits))}
    rows = []
    for name, predicted in predictions.items():
        order = np.argsort(predicted[20_000:])
        for part in np.array_split(order, 10):
            means = (float(predicted[20_000:][part].mean()), float(labels[20_000:][part].mean()))
            rows.append({"model": name, "predicted": round(means[0], 4), "observed": round(means[1], 4)})
    scale = alt.Scale(domain=[0, 0.8])
    axis = alt.Axis(tickCount=8)
    axes = (
        alt.X("predicted:Q", title="predicted rate", scale=scale, axis=axis),
        alt.Y("observed:Q", title="observed rate", scale=scale, axis=axis),
    )
    ideal = chart([{"predicted": x, "observed": x} for x in (0, 0.8)], height=260)
    points = chart(rows, height=260).mark_line(point=alt.OverlayMarkDef(size=60), strokeWidth=2)
    return ideal.mark_line(color=GREY, strokeDash=[5, 4]).encode(*axes) + points.encode(
        *axes, colours("model", list(predictions))
    )


def colours(field, names):
    """Returns the encoding of a field with two values as colours, explained above the chart."""
    legend = alt.Legend(title=None, orient="top", labelLimit=300, columnPadding=60, symbolStrokeWidth=3)
    return alt.Color(f"{field}:N", sort=None, scale=alt.Scale(domain=names, range=[BLUE, ORANGE]), legend=legend)


FIGURES = {draw.__name__: draw for draw in (sample_spaces, chain, selection_bias, calibration)}


def configured(figure):
    """Returns a figure with the fonts and the background of this site."""
    return (
        figure.properties(background="#fafbfc", padding=14)
        .configure(font="system-ui, sans-serif")
        .configure_axis(labelFontSize=13, titleFontSize=13, titleFontWeight="normal", gridColor="#e3e7ea", **INK)
        .configure_legend(labelFontSize=13, labelColor="#26303a")
        .configure_text(color="#26303a")
        .configure_view(stroke=None)
    )


INK = {"labelColor": "#26303a", "titleColor": "#26303a", "domainColor": GREY, "tickColor": GREY}


def digest(figure):
    """Returns a hash of a figure's content, which does not depend on the program that renders it."""
    return hashlib.sha256(json.dumps(content(figure), sort_keys=True).encode()).hexdigest()[:16]


def content(figure):
    """Returns a figure as plain data, without the versions of libraries."""
    plain = figure.to_dict()
    plain.pop("$schema")
    return plain


def svg(figure):
    """Returns a figure as SVG text."""
    import vl_convert

    text = vl_convert.vegalite_to_svg(json.dumps(figure.to_dict()))
    head, _, body = text.partition(">")
    return f"{head}><style>{DARK}</style><!-- chart {digest(figure)} -->{body}\n"


if __name__ == "__main__":
    for name, draw in FIGURES.items():
        path = HERE / f"{name}.svg"
        path.write_text(svg(configured(draw())), encoding="utf-8")
        print(path.name, digest(configured(draw())))
