"""Search of a model's hyper-parameters on one prepared log: its plan, its trials, and the settings that it finds."""
