"""Requests to the embedded server: parsed without expanding them, and bounded before anything is allocated."""
