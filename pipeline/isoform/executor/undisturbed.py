"""What an embedded worker loads first: Ctrl-C reaches every process of a terminal; the client acts on it."""

import signal
from typing import Any


def dask_setup(_: Any) -> None:
    """Ignore the interruption; Dask calls this when the worker starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
