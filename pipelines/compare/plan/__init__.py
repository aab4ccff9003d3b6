"""Plan of a comparison: its settings, the rows of the table and the search spaces, all validated."""
