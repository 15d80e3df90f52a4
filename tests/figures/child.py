"""One measurement: ``python -m figures.child MODULE:FUNCTION ARGUMENTS``, arguments as JSON.

The function sets up and returns the work as a callable without arguments; a JSON line with the figures comes out.
"""

import gc
import importlib
import json
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def status_bytes(field: str) -> int:
    """Return a memory field of this process, for example VmRSS."""
    found = re.search(rf"^{field}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    assert found is not None, f"{STATUS} has no {field}"
    return int(found[1]) * 1024


def measured(work: Callable[[], object]) -> dict[str, float]:
    """Return seconds, those of all threads on processors, resident bytes before, and the peak while ``work`` runs."""
    gc.collect()
    CLEAR.write_text(_RESET_PEAK)
    before, begin, begin_busy = status_bytes("VmRSS"), time.perf_counter(), time.process_time()
    work()
    seconds, busy_s = time.perf_counter() - begin, time.process_time() - begin_busy
    return {"seconds": seconds, "busy_s": busy_s, "before_bytes": before, "peak_bytes": status_bytes("VmHWM")}


def main() -> None:
    place, arguments = sys.argv[1:]
    module, _, name = place.partition(":")
    warnings.simplefilter("ignore")
    figures = measured(getattr(importlib.import_module(module), name)(**json.loads(arguments)))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
