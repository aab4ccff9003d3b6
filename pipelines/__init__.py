"""TFX pipeline from raw log to pushed model, its runners, and the command line."""

import gc

# A step imports 9,000 modules of TensorFlow and TFX. With Python's default of 700 new objects, the garbage collector
# takes a fifth of the time of these imports.
gc.set_threshold(50_000, 20, 20)
