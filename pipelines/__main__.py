"""`python -m pipelines`: runs the demonstration."""

from pipelines.terminal import run_program, show_renamed_settings


def demonstrate() -> int:
    """Runs the demonstration and returns its exit code."""
    # Imported here, so that `run_program` also suppresses the log messages of these imports.
    from pipelines.commands.demo import main
    from pipelines.commands.run import NOT_BLESSED

    with show_renamed_settings():
        return 0 if main() else NOT_BLESSED


run_program(demonstrate)
