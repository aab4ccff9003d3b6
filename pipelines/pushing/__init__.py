"""Versions of a served model: atomic pushes, rollback, and which models were rolled back."""
