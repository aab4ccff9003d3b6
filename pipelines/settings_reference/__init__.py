"""Reference of the settings, and their JSON schema, both derived from the dataclasses and their docstrings."""
