"""Runners: run the pipeline on this machine, or compile it for Kubeflow Pipelines."""
