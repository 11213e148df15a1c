"""One measure in a process of its own: ``python -m benchmarks.measure MODULE FUNCTION``.

Prints what the function gives as one line of JSON, with the peak memory of the process.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys


def main() -> None:
    module, function = sys.argv[1:]
    result = getattr(importlib.import_module(f"benchmarks.{module}"), function)()
    unit = 1 if sys.platform == "darwin" else 1024
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    print(json.dumps(result))


if __name__ == "__main__":
    main()
