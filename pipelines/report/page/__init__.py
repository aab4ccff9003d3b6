"""Page of a report: blocks of text, tables and figures, and their HTML."""
