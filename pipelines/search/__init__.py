"""Engine of hyper-parameter searches: names of a space, proposals of the next trial, and early stopping of trials."""
