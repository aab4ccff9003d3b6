"""Runs the pipeline on this machine or compiles it for Kubeflow Pipelines."""
