"""Tables, claims and figures of a comparison."""
