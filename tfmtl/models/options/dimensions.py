"""Hyper-parameters that several models declare in their search spaces (`ModelOptions.search_space`)."""

from tfmtl.search_space import Choice, Range

DROPOUT = Range(0.0, 0.5, digits=2)
"""Dropout rate."""
EXPERT_UNITS = Choice(((32,), (64,), (64, 32), (128, 64), (256, 128)))
"""Widths of the layers of an expert, or of a network below the towers."""
TOWER_UNITS = Choice(((16,), (32,), (64, 32), (128, 64), (128, 64, 32)))
"""Widths of the hidden layers of a tower on top of other layers."""
NETWORK_UNITS = Choice(((64,), (64, 32), (128, 64), (128, 64, 32), (256, 128, 64), (360, 200, 80)))
"""Widths of the layers of a network that has no other layers above, or below, the embedding."""
