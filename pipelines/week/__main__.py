"""`python -m pipelines.week`: simulates a week of daily runs."""

import argparse
import pathlib

from pipelines.library_messages import library_messages
from pipelines.terminal import run_program


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.week", description="Simulate a week of daily runs.")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/week"), help="folder to write to")
    out = parser.parse_args().out
    with library_messages(shown=False):
        # Imported here, so that the messages of these imports are hidden too.
        from pipelines.week.simulate_week import SETTINGS, simulate_week
        from tfmtl.config import ConfigError

        try:
            return 0 if simulate_week(SETTINGS, out) else 1
        except ConfigError as error:
            raise SystemExit(f"Error: {error}") from error
        except KeyboardInterrupt:
            return 130


run_program(_main)
