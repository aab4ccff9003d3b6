"""Parts of the transform graph: raw columns, the lookup of tokens, and the graph that Transform wrote."""
