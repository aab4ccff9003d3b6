"""Sections of the cost of a run, and of its settings."""

import yaml

from pipelines.components.resolvers import RESOLVERS
from pipelines.report.figures.data import cost_figure
from pipelines.report.page.blocks import Block, Code, Figure, Section, Text
from pipelines.report.run_data import RunData

_EXPORT_GATES = ("latency (ms)", "size (MB)")


def cost_section(data: RunData) -> Section | None:
    """Returns the seconds of the components, the speed of the training, and the size and latency of the export.

    Args:
        data: The run.
    """
    steps = [step for step in data.run.steps.values() if step.name not in RESOLVERS]
    computed = {step.name: step.seconds for step in steps if not step.cached}
    blocks: list[Block] = []
    if computed:
        caption = f"{sum(computed.values()):,.1f} seconds in all."
        blocks.append(Figure("cost", "Seconds of each component", caption, cost_figure(computed), wide=True))
    cached = [step.name for step in steps if step.cached]
    if cached:
        blocks.append(Text(f"Outputs of an earlier run were reused for: {', '.join(cached)}."))
    blocks += [Text(text) for text in _sentences(data)]
    return Section("cost", "Cost", tuple(blocks)) if blocks else None


def _sentences(data: RunData) -> list[str]:
    sentences = []
    seconds, rows = data.training.get("seconds"), data.past.record.rows.get("train")
    if seconds:
        text = f"Training and export took {seconds:,.1f} seconds"
        sentences.append(f"{text} for {rows:,} rows." if rows else f"{text}.")
    for gate in data.gates:
        if gate.name in _EXPORT_GATES:
            bound = f", with the bound {gate.bound}" if gate.bound else ""
            sentences.append(f"The {gate.name} of the exported model is {gate.value:,.3g}{bound}.")
    return sentences


def settings_section(data: RunData) -> Section:
    """Returns the settings of the run, and what it ran on.

    Args:
        data: The run.
    """
    record = data.past.record
    text = yaml.safe_dump(dict(record.settings), sort_keys=False, allow_unicode=True, width=100)
    facts = f"Specification {record.spec_hash}. Code {record.code}. Run {data.past.id}."
    blocks = (Text(facts), Code("Settings that differ from the defaults", text))
    return Section("settings", "Settings", blocks)
