"""Settings of the demonstration with a narrow model, for steps that run as processes."""

import pathlib

import yaml

REPOSITORY = pathlib.Path(__file__).parents[3]
ROWS = 12_000
SMALL = {
    "base": str(REPOSITORY / "examples" / "demo.yaml"),
    "model": {
        "name": "mmoe",
        "preset": None,
        "options": {"embedding_dim": 4, "num_experts": 2, "expert_units": [16], "tower_units": [8]},
    },
    "training": {"max_epochs": 2, "batch_size": 256, "learning_rate": 0.02},
    "thresholds": {
        "ctr": {
            "min_auc": 0.5,
            "calibration": None,
            "max_auc_drop": 0.01,
            "slices": {"scenario": {"min_auc": None, "calibration": None, "max_auc_drop": None}},
        },
        "cvr": None,
        "ctcvr": None,
    },
    "reference": False,
}


def write_settings(folder, name="small.yaml", **sections):
    """Writes settings in which sections are added to those of `SMALL`, and returns their path."""
    merged = {key: {**SMALL.get(key, {}), **value} for key, value in sections.items()}
    path = pathlib.Path(folder) / name
    path.write_text(yaml.safe_dump({**SMALL, **merged}))
    return path
