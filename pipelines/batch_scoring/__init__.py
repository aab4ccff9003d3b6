"""Scoring of the rows of files by an exported model, without a server."""
