"""Ali-CCP from its raw files: what is in them, how they are read, joined, prepared and simulated."""
