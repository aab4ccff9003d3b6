"""Sections of the training: curves, and what the mechanisms of the model do."""

from pipelines.report.figures.mechanisms import groups, heat_map
from pipelines.report.figures.training import history_stages, kept_epoch, loss_figure, metric_figure
from pipelines.report.page.blocks import Block, Cell, Figure, Section, Text, number, table
from pipelines.report.run_data import RunData
from pipelines.training_settings import TrainingSettings
from tfmtl.health import dead_sentences

_KINDS = {
    "gate": "Mean weights of the experts in the gates. Equal weights are those of a gate that chooses nothing.",
    "attention": "Mean attention of the inducing points to the fields.",
    "selector": "Mean selection of the inducing points.",
    "pattern": "Mean weights of the inducing points in the pattern of each task.",
    "task_attention": "Mean weights of the previous task's vector and of the task's own vector.",
    "connection": "Weights of the layers of the previous task that a task reads.",
    "cross_stitch": "Weights with which each task reads the layers of all tasks.",
    "temperature": "Mean temperature of the contrast between tasks.",
}


def training_section(data: RunData) -> Section | None:
    """Returns loss and metrics by epoch, of each stage.

    Args:
        data: The run.
    """
    blocks: list[Block] = []
    for number_of_stage, (name, stage) in enumerate(history_stages(data.history).items(), 1):
        if not stage.get("loss"):
            continue
        monitor = _monitor(data.settings.training, number_of_stage)
        kept = kept_epoch(stage, f"val_{monitor}", not monitor.endswith("loss"))
        epochs = len(stage["loss"])
        title = f" in stage {name}" if name else ""
        caption = f"{epochs} epochs; the dashed line is the epoch whose weights are kept."
        loss = f"Mean loss by epoch. {caption}"
        blocks.append(Figure(f"loss-{number_of_stage}", f"Loss{title}", loss, loss_figure(stage, kept)))
        for suffix, metric in (("auc", "AUC"), ("gini", "Gini")):
            if any(name.startswith("val_") and name.endswith(f"_{suffix}") for name in stage):
                spec = metric_figure(stage, kept, f"_{suffix}", metric)
                name = f"{suffix}-{number_of_stage}"
                blocks.append(Figure(name, f"{metric} on the eval split{title}", caption, spec))
    if not blocks:
        return None
    if data.training.get("diverged"):
        where = f"step {data.training['diverged_step']} of epoch {data.training['diverged_epoch']}"
        blocks.insert(0, Text(f"The loss became NaN or infinite at {where}.", "bad"))
    return Section("training", "Training", tuple(blocks))


def _monitor(training: TrainingSettings, number_of_stage: int) -> str:
    """Returns the metric that early stopping watched in a stage."""
    second = training.second_stage
    return second.monitor if number_of_stage > 1 and second is not None else training.monitor


def mechanism_section(data: RunData) -> Section | None:
    """Returns what the mechanisms of the model compute, and whether they are alive.

    Args:
        data: The run.
    """
    blocks: list[Block] = [Text(sentence, "bad") for sentence in dead_sentences(data.health)]
    for index, profiles in enumerate(groups(data.profiles)):
        kind = profiles[0].kind
        caption = _KINDS.get(kind, "Mean over the rows.")
        title = kind.replace("_", " ").capitalize()
        name = f"mechanism-{index}"
        blocks.append(Figure(name, title, f"{caption} On the first rows of the eval split.", heat_map(profiles), True))
    if data.health:
        columns = ("mechanism", "measure", "value", "alive if", "result")
        rows = [
            [
                one.mechanism,
                one.measure.replace("_", " "),
                number(one.value, ".4g"),
                str(one.bound),
                Cell("alive", tone="good") if one.alive else Cell("dead", tone="bad"),
            ]
            for one in data.health
        ]
        blocks.append(table(columns, rows, "Measures of the mechanisms on the eval split."))
    if not blocks:
        return None
    return Section("mechanisms", "Mechanisms of the model", tuple(blocks))
