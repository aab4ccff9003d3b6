"""Entry point of Beam's `--setup_file`, which builds a source distribution from it; pyproject.toml has the metadata."""

from setuptools import setup

setup()
