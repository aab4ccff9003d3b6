"""Log that is preprocessed once for many trainings: the rows of each split in one order, and what scores need."""
