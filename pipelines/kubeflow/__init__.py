"""Kubeflow: the pipeline as a specification, its steps in containers, and the client of a cluster."""
