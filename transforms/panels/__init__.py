"""Panels: windows over daily rows, and their simulator."""
