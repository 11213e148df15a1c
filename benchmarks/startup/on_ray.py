"""From the start of the process to Ray being there; run with BEGAN, the time it was started."""

import os
import time

import ray

if __name__ == "__main__":
    ray.init(address="local", include_dashboard=False, logging_level="WARNING")
    print(time.time() - float(os.environ["BEGAN"]))
