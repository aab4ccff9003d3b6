"""Packaging: a light library by default; the pipeline, the server and the tools are extras."""

import pathlib

from setuptools import find_packages, setup

PACKAGES = ["tfmtl", "transforms", "pipelines", "serving"]
SERVING = ["grpcio>=1.60", "grpcio-health-checking>=1.60", "tensorflow-serving-api>=2.16,<3"]
PIPELINE = [
    *SERVING,
    "tfx>=1.16,<2",
    "kfp>=2.6,<3",
    "dill>=0.3.9",
    "google-crc32c>=1.5",
    "click>=8.1",
    "keras-tuner>=1.4.7,<2",
    "lightgbm>=4.3,<5",
    "matplotlib>=3.8",
    "pandas>=1.5",
    "pyarrow>=10",
    "rich>=13.7",
    "scipy>=1.12",
]
DEV = [
    "import-linter>=2.0",
    "mypy>=1.11",
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "ruff>=0.6",
    "scikit-learn>=1.5",
    "types-PyYAML",
]

setup(
    name="tfmtl",
    version="0.1.0",
    description="Multi-task conversion models for ads and recommendation, from raw log to served prediction.",
    long_description=pathlib.Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=[*PACKAGES, *(f"{package}.*" for package in PACKAGES)]),
    package_data={"tfmtl": ["py.typed"], "serving": ["deploy/*"]},
    install_requires=["tensorflow>=2.16.2,<2.22", "keras>=3.10,<4", "PyYAML>=6"],
    extras_require={"pipeline": PIPELINE, "serving": SERVING, "dev": DEV},
    entry_points={"console_scripts": ["tfmtl=pipelines.cli:program"]},
)
