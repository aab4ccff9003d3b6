"""TFX pipeline from raw log to pushed model, its runners, and the command line."""

import gc

# Steps import 9,000 modules of TensorFlow and TFX. With Python's default of 700 new objects, a fifth of the time of these
# imports is spent by the garbage collector.
gc.set_threshold(50_000, 20, 20)
