"""Program that prints the numbers of threads of its environment."""

import os

print(*(os.environ[name] for name in ("OMP_NUM_THREADS", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS")))
