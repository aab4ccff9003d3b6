"""Execution of the notebooks of docs/: `python -m tests.notebooks` rewrites their outputs, the tests compare them."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from typing import Any

import nbformat
from nbclient import NotebookClient

REPOSITORY = pathlib.Path(__file__).parents[1]
FOLDER = REPOSITORY / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
TIMEOUT = 300
_KERNEL_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GRPC_VERBOSITY": "ERROR",
    "PYTHONWARNINGS": "ignore",
    "PYTHONPATH": str(REPOSITORY),
}


def execute(path: pathlib.Path, folder: pathlib.Path) -> Any:
    """Executes a notebook and returns it with new outputs.

    Args:
        path: The notebook.
        folder: Folder that stands for docs/: the notebook runs in its `notebooks`, beside which are the `results`.

    Raises:
        CellExecutionError: If a cell fails.
    """
    place = folder / "notebooks"
    place.mkdir(parents=True, exist_ok=True)
    if not (folder / "results").exists():
        (folder / "results").symlink_to(REPOSITORY / "docs" / "results")
    notebook = nbformat.read(path, as_version=4)
    inherited = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    programs = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{inherited.get('PATH', '')}"
    client = NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3", record_timing=False)
    client.resources = {"metadata": {"path": str(place)}}
    environment = {**inherited, **_KERNEL_ENVIRONMENT, "PATH": programs}
    client.execute(env=environment, stderr=subprocess.DEVNULL)  # What cells print to stderr is in their outputs.
    return _normalized(notebook, place)


def _normalized(notebook: Any, place: pathlib.Path) -> Any:
    """Removes what differs between machines and runs but is no result: counts, folders, versions of Python."""
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = _joined_streams(cell.outputs)
            for output in cell.outputs:
                if "execution_count" in output:
                    output["execution_count"] = None
                if "text" in output:
                    output["text"] = without_folder(output["text"], place)
                data = output.get("data", {})
                if "text/html" in data or "image/svg+xml" in data:
                    data.pop("text/plain", None)  # The repr of an object, which may be long and have folders.
    return notebook


def without_folder(text: str, place: pathlib.Path) -> str:
    """Returns a text with paths relative to a folder in place of absolute ones.

    Args:
        text: Printed text.
        place: Folder in which the notebook ran.
    """
    for name in {str(place), str(place.resolve())}:
        text = text.replace(f"{name}/", "").replace(name, ".")
    return text


def _joined_streams(outputs: list[Any]) -> list[Any]:
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            last["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def texts(cell: Any) -> list[str]:
    """Returns the texts of a cell's outputs: what it prints, and the plain or HTML form of what it shows.

    Args:
        cell: Code cell.
    """
    found = []
    for output in cell.outputs:
        data = output.get("data", {})
        if any(kind.startswith("image/") for kind in data):
            found.append("chart")
        else:
            found.append(output.get("text") or data.get("text/html") or data.get("text/plain", ""))
    return found


def split_numbers(text: str) -> tuple[str, list[float]]:
    """Returns a text with `#` in place of its numbers, and the numbers.

    Args:
        text: Text of an output.
    """
    pattern = re.compile(r"(?<![A-Za-z_])[-+]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
    numbers = [float(found.replace(",", "")) for found in pattern.findall(text)]
    return re.sub(r"\s+", " ", pattern.sub("#", text)), numbers


def main(names: list[str]) -> None:
    """Executes notebooks and writes their outputs.

    Args:
        names: Names without `.ipynb`; all notebooks if there is none.
    """
    for path in NOTEBOOKS:
        if not names or path.stem in names:
            started = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                notebook = execute(path, pathlib.Path(folder))
            nbformat.write(notebook, path)
            size = path.stat().st_size / 1000
            print(f"{path.relative_to(REPOSITORY)}  {time.monotonic() - started:.0f} s  {size:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
