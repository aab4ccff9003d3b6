"""Process that runs the executor of a step as TFX's container does, and reports wrong inputs in one to three lines."""

import argparse
import logging
import sys
import traceback


def main(argv: list[str]) -> None:
    """Runs the executor.

    Args:
        argv: Name of the program and its arguments: those of TFX's container, and arguments for Beam.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("executor_class_path", "json_serialized_invocation_args", "json_serialized_inputs_spec_args"):
        parser.add_argument(f"--{name}", required=True)
    arguments, beam_arguments = parser.parse_known_args(argv[1:])
    # TFX logs the whole invocation, and Beam warns about a package that it does not need.
    logging.disable(logging.WARNING)
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    from pipelines.beam_runner import run_in_process
    from pipelines.errors import exit_code, user_message

    run_in_process()
    try:
        kubeflow_v2_run_executor.main((arguments, beam_arguments))
    except Exception as error:
        message = user_message(error)
        if message is None:
            traceback.print_exc()
            sys.exit(1)
        print(f"Error: {message}", file=sys.stderr)
        sys.exit(exit_code(error))


if __name__ == "__main__":
    from absl import app

    app.run(lambda _: main(sys.argv), argv=sys.argv[:1])
