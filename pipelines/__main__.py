"""`python -m pipelines`: runs the demonstration."""

from pipelines.library_messages import library_messages
from pipelines.terminal import run_program, show_renamed_settings


def demonstrate() -> int:
    """Runs the demonstration and returns its exit code."""
    with library_messages(shown=False), show_renamed_settings():
        # Imported here, so that the messages of these imports are hidden too.
        from pipelines.commands.demo import main
        from pipelines.commands.run import NOT_BLESSED

        return 0 if main() else NOT_BLESSED


run_program(demonstrate)
