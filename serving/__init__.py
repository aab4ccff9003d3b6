"""Serving: signatures, export, warm-up requests, client and embedded server."""
