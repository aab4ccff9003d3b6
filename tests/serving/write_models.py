"""Writes the models of the client's tests, for a server elsewhere: `python -m tests.serving.write_models FOLDER`.

The tests use a server of these models where TFMTL_SERVER gives its address, and TFMTL_SERVER_REST that of its REST API:

    tensorflow_model_server --port=8500 --rest_api_port=8501 --model_config_file=FOLDER/models.config
    export TFMTL_SERVER=127.0.0.1:8500 TFMTL_SERVER_REST=127.0.0.1:8501
    python -m pytest tests/serving/test_client.py tests/serving/test_protocol.py tests/serving/test_published_clients.py
"""

import sys
from pathlib import Path

from tests.serving.conftest import save_ads_model, save_examples_model, save_line_model


def main(folder: Path) -> None:
    save_line_model(folder / "m" / "7", 2)
    save_ads_model(folder / "ads" / "00000123")
    save_examples_model(folder / "e" / "1")
    models = "\n".join(
        f'  config {{ name: "{name}" base_path: "{folder.resolve() / name}" model_platform: "tensorflow" }}'
        for name in ("m", "ads", "e")
    )
    (folder / "models.config").write_text(f"model_config_list {{\n{models}\n}}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
