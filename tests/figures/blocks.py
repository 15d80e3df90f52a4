"""Two callables timed in alternating blocks, in random order, so that whatever else the machine does meets both."""

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

BLOCKS = 40
BLOCK_S = 0.05
WARM_UP_S = 1.0


def compare(ours: Callable[[], object], peer: Callable[[], object], seed: int = 0) -> dict[str, Any]:
    """Return the median over blocks of ours / peer, its quartiles, and the peer's milliseconds a call."""
    calls = max(1, round(BLOCK_S / min(_warmed(ours), _warmed(peer))))
    rng, ratios, peers = random.Random(seed), [], []
    for _ in range(BLOCKS):
        seconds: dict[str, float] = {}
        for name, call in rng.sample([("ours", ours), ("peer", peer)], 2):
            seconds[name] = _timed(call, calls)
        ratios.append(seconds["ours"] / seconds["peer"])
        peers.append(seconds["peer"] / calls)
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {"ratio": middle, "quartiles": [low, high], "peer_ms": statistics.median(peers) * 1e3}


def _warmed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    while time.perf_counter() - begin < WARM_UP_S:
        call()
    return min(_timed(call, 1) for _ in range(3))


def _timed(call: Callable[[], object], calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - begin
