"""From the start of the process to Ray being there; run with BEGAN, the time it was started.

Prints that, and how much of it was `ray.init`.
"""

import os
import time

import ray

if __name__ == "__main__":
    start = time.time()
    ray.init(address="local", include_dashboard=False, logging_level="WARNING")
    end = time.time()
    print(end - float(os.environ["BEGAN"]), end - start)
