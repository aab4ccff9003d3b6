"""`python -m pipelines` runs the demonstration."""

from pipelines.terminal import run_program


def demonstrate() -> int:
    """The exit code. What is imported here logs as little as what it does."""
    from pipelines.commands.demo import main
    from pipelines.commands.run import NOT_BLESSED

    return 0 if main() else NOT_BLESSED


run_program(demonstrate)
