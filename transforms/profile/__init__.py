"""Profile of a raw log that has no spec yet: a sample of its rows, the kinds of its columns, and likely leaks."""
