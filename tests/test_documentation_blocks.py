"""Every code block of the documentation is run by a test, or says in a comment above it why it is not."""

import pathlib
import re
import shlex
import subprocess
import sys
from typing import Any, NamedTuple

import click
import jsonschema
import pytest
import yaml

from pipelines.cli import main
from pipelines.compare.plan.settings import CompareSettings
from pipelines.compare.worlds.settings import WorldsSettings
from pipelines.settings_reference.json_schema import json_schema
from tests.test_documentation import PAGES, REPOSITORY, environment
from tests.tfmtl import cases
from tfmtl.config import Document, build, parse_yaml
from tfmtl.models import MMoE
from tfmtl.offsets import Offset
from tfmtl.tasks import Task

SETTINGS = jsonschema.Draft202012Validator(json_schema())
INCLUDED = ("contributing.md", "benchmarks.md", "changelog.md")
"""Pages that show a file of the repository."""
GENERIC = ("console", "python", "yaml")
"""Languages whose blocks are run or read without a comment: the commands by tests/test_documentation.py."""


class Block(NamedTuple):
    """A code block of a page, with the comment in the line above it."""

    page: str
    line: int
    comment: str
    language: str
    text: str


def read_blocks(page: str, text: str) -> list[Block]:
    """Returns the code blocks of a page, without the directives of the site."""
    lines, blocks = text.splitlines(), []
    start = None
    for number, line in enumerate(lines):
        fence = re.match(r" *```(.*)$", line)
        if fence is None:
            continue
        if start is None:
            start, language = number, fence[1]
            continue
        above = lines[start - 1].strip() if start else ""
        comment = above if above.startswith("<!--") else ""
        content = "\n".join(lines[start + 1 : number])
        if not language.startswith("{"):
            blocks.append(Block(page, start + 1, comment, language, content))
        start = None
    return blocks


BLOCKS = [block for page, text in PAGES.items() if page not in INCLUDED for block in read_blocks(page, text)]
WITHOUT_COMMENT = [block for block in BLOCKS if not block.comment]


def of_language(language: str) -> Any:
    chosen = [block for block in WITHOUT_COMMENT if block.language == language and block.page != "README.md"]
    return pytest.mark.parametrize("block", chosen, ids=lambda block: f"{block.page}:{block.line}")


def reason_problem(block: Block) -> str | None:
    """Returns what is wrong with the comment of a block, or None."""
    if not block.comment:
        is_known = block.language in GENERIC or block.page == "README.md"
        return None if is_known else "should be run by a test, or have a comment `<!-- not run: reason -->` above it"
    if run_by := re.fullmatch(r"<!-- run by: ([\w/.]+)::(\w+) -->", block.comment):
        path = REPOSITORY / run_by[1]
        named = path.exists() and f"def {run_by[2]}(" in path.read_text(encoding="utf-8")
        return None if named else f"should name a test. Received: {block.comment}"
    reason = re.fullmatch(r"<!-- not run: (.{10,}) -->", block.comment)
    if reason is None:
        return f"should have a comment `<!-- not run: reason -->`. Received: {block.comment}"
    missing = [path for path in re.findall(r"tests/[\w/.]+", reason[1]) if not (REPOSITORY / path).exists()]
    return f"should name tests that exist. Received: {missing}" if missing else None


def test_every_block_is_run_or_says_why_not():
    assert len(BLOCKS) > 60
    problems = {f"{block.page}:{block.line}": reason_problem(block) for block in BLOCKS}
    assert {place: problem for place, problem in problems.items() if problem} == {}


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("```text\nls\n```", "should be run by a test"),
        ("<!-- not run: no -->\n```text\nls\n```", "should have a comment"),
        ("<!-- not run: tests/test_nothing.py has it -->\n```text\nls\n```", "should name tests that exist"),
        ("<!-- run by: tests/test_documentation.py::test_nothing -->\n```text\nls\n```", "should name a test"),
        ("<!-- not run: needs a cluster of machines -->\n```text\nls\n```", None),
        ("```yaml\na: 1\n```", None),
    ],
)
def test_a_block_without_a_reason_is_found(page, expected):
    (block,) = read_blocks("page.md", page)
    problem = reason_problem(block)
    assert problem is None if expected is None else problem.startswith(expected)


@of_language("yaml")
def test_settings_are_valid(block):
    fragment = parse_yaml(block.text).data
    errors = SETTINGS.iter_errors({"base": "base.yaml", **fragment})
    assert [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors] == []


def test_python_of_a_page_runs(tmp_path):
    chosen = [block for block in WITHOUT_COMMENT if block.language == "python" and block.page != "README.md"]
    assert chosen
    for block in chosen:
        done = subprocess.run(
            [sys.executable, "-c", block.text], cwd=tmp_path, env=environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{block.page}:{block.line}: {done.stderr}"


def commented(page: str, test: str) -> list[Block]:
    return [block for block in BLOCKS if block.page == page and block.comment.endswith(f"::{test} -->")]


def test_comparison_settings_are_valid():
    base = {"name": "shop", "base": "demo.yaml", "models": {"mmoe": {}}, "seeds": [1], "reference": "mmoe"}
    blocks = commented("comparing.md", "test_comparison_settings_are_valid")
    texts = [parse_yaml(block.text).data for block in blocks]
    built = [
        build(CompareSettings, Document({**base, **text, "models": {"mmoe": {}, **text.get("models", {})}}))
        for text in texts
    ]
    assert (built[1].trials, built[2].search) == (12, "bayesian")


def test_worlds_settings_are_valid():
    (block,) = commented("comparing.md", "test_worlds_settings_are_valid")
    assert build(WorldsSettings, parse_yaml(block.text)).tuned_at == 1


def test_the_task_with_an_offset_is_valid():
    (block,) = commented("own-data.md", "test_the_task_with_an_offset_is_valid")
    assert build(tuple[Task, ...], parse_yaml(block.text))[0].offset == Offset("pay", mean_of_last=7, floor=0.1)


def test_lines_of_models_are_valid():
    (block,) = commented("models.md", "test_lines_of_models_are_valid")
    for line in block.text.splitlines():
        assert list(SETTINGS.iter_errors({"base": "base.yaml", **yaml.safe_load(line)})) == []


def test_a_saved_model_is_loaded_as_the_page_says(tmp_path):
    (block,) = commented("models.md", "test_a_saved_model_is_loaded_as_the_page_says")
    MMoE.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, expert_units=[4]).save(tmp_path / "model.keras")
    program = block.text + "\nassert type(model).__name__ == 'MMoE'"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def command_lines() -> list[str]:
    """Returns the `tfmtl` commands of all blocks, each on one line and without comments."""
    joined = [re.sub(r" *\\\n *", " ", block.text) for block in BLOCKS if block.language in ("console", "text")]
    lines = [line.partition(" #")[0].partition(" >")[0].strip() for text in joined for line in text.splitlines()]
    return sorted({line for line in lines if line.startswith("tfmtl ")})


@pytest.mark.parametrize("line", command_lines())
def test_commands_and_their_options_exist(line):
    command, words = main, shlex.split(line)[1:]
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    assert command is not main
    command.make_parser(click.Context(command)).parse_args(words)


def test_pages_of_the_repository_are_included_whole():
    for name in INCLUDED:
        target = re.search(r"\{include\} (\S+)", PAGES[name])
        assert target
        assert (REPOSITORY / "docs" / pathlib.Path(target[1])).exists()
