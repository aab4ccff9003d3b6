"""Report of a comparison: tables, claims and figures."""
