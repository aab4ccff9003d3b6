"""The demonstration's log is that of its settings and code, whenever the process was killed."""

import pathlib

import pytest

from pipelines import demo

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "demo.yaml"


@pytest.fixture
def drawn(monkeypatch):
    """The settings files whose logs were drawn; one named `killed.yaml` ends in the midst of it."""
    drawn = []

    def draw(settings_path, out):
        pathlib.Path(out).mkdir(exist_ok=True)
        drawn.append(pathlib.Path(settings_path).name)
        if drawn[-1] == "killed.yaml":
            raise KeyboardInterrupt

    monkeypatch.setattr(demo, "simulate_log", draw)
    return drawn


def test_a_log_that_is_half_drawn_is_drawn_again(tmp_path, drawn):
    killed = tmp_path / "killed.yaml"
    killed.write_text(EXAMPLE.read_text().replace("rows: 200000", "rows: 100000"))
    demo.make_log(EXAMPLE, tmp_path / "data")
    demo.make_log(EXAMPLE, tmp_path / "data")
    assert drawn == ["demo.yaml"]
    with pytest.raises(KeyboardInterrupt):
        demo.make_log(killed, tmp_path / "data")
    demo.make_log(EXAMPLE, tmp_path / "data")
    assert drawn == ["demo.yaml", "killed.yaml", "demo.yaml"]


def test_a_log_that_other_code_drew_is_drawn_again(tmp_path, drawn, monkeypatch):
    for code in ("old", "old", "new"):
        monkeypatch.setattr(demo, "code_hash", lambda *packages, code=code: (code, packages))
        demo.make_log(EXAMPLE, tmp_path / "data")
    assert len(drawn) == 2
