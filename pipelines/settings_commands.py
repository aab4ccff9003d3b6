"""Command of `tfmtl` that says what a settings file may contain."""

import click

from pipelines.output.options import json_option


@click.command(short_help="Print what a settings file may contain.")
@click.argument("section", required=False)
@click.option("--json-schema", is_flag=True, help="Print the JSON schema of settings files, which editors read.")
@json_option
def settings(section: str | None, json_schema: bool) -> None:
    """Print every field of a settings file with its type, its default and its meaning, or those of SECTION.

    With --json-schema, print the JSON schema instead. Editors with the YAML language server complete and check a file
    whose first line is `# yaml-language-server: $schema=settings.schema.json`.

    \b
    Example:
      tfmtl settings training.optimizer
      tfmtl settings --json-schema > settings.schema.json
    """
    from pipelines.commands.settings import show_json_schema, show_settings

    if json_schema and section:
        raise click.UsageError("--json-schema should be given without SECTION.")
    if json_schema:
        show_json_schema()
    else:
        show_settings(section)
