"""``python -m figures.compare_harness ARTIFACT``: what isoform measures / a bare loop over bound buffers, one thread.

The loop is written here against ONNX Runtime alone, and both run one session: where the weights of another one come to
lie in memory is worth some percent. Both take one query after the other and give the median of a block; blocks take
turns in random order. Sessions are opened anew several times, since where buffers lie counts too.
"""

import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import onnxruntime

from isoform.core import cases
from isoform.core.artifact import CASES_NAME, open_artifact
from isoform.core.protocols import Array
from isoform.jobs.measure import stop_collecting, timed, timed_runs, warm_up
from isoform.runtimes import ort
from isoform.stages.bench import prepare

SESSIONS, BLOCKS = 6, 60
BLOCK_S, WARM_UP_S, LONGEST_S = 0.015, 0.2, 2.0
Block = Callable[[int], float]
"""The median nanoseconds of so many queries."""


def main() -> None:
    folder = Path(sys.argv[1])
    artifact = open_artifact(folder)
    inputs = prepare(cases.load(folder / CASES_NAME), artifact, 1).arrays
    stop_collecting()
    rng, ratios, bare_ns = random.Random(0), [], []
    for _ in range(SESSIONS):
        session = _session(artifact.model)
        for ours, bare in _pairs({"ours": _ours(session, inputs), "bare": _bare(session, inputs)}, rng):
            ratios.append(ours / bare)
            bare_ns.append(bare)
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(json.dumps({
        "ratio": middle, "quartiles": [low, high], "peer_ms": statistics.median(bare_ns) / 1e6, "limit": 1.02,
    }))  # fmt: skip


def _pairs(blocks: Mapping[str, Block], rng: random.Random) -> Iterator[tuple[float, float]]:
    queries = max(1, round(BLOCK_S * 1e9 / min(block(20) for block in blocks.values())))
    for _ in range(BLOCKS):
        found = {}
        for name in rng.sample(list(blocks), len(blocks)):
            blocks[name](1)  # the other one had the caches
            found[name] = blocks[name](queries)
        yield found["ours"], found["bare"]


def _session(model: Path) -> onnxruntime.InferenceSession:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])


def _ours(session: onnxruntime.InferenceSession, inputs: Mapping[str, Array]) -> Block:
    query = timed(ort.OrtSession(session, "cpu").bind(inputs).run)
    warm_up(query, WARM_UP_S, LONGEST_S)
    return lambda queries: statistics.median(timed_runs(query, queries, LONGEST_S))


def _bare(session: onnxruntime.InferenceSession, inputs: Mapping[str, Array]) -> Block:
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_cpu_input(name, array)
    outputs = session.run(None, dict(inputs))
    for argument, array in zip(session.get_outputs(), outputs, strict=True):
        binding.bind_output(argument.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    run, clock = session.run_with_iobinding, time.perf_counter_ns

    def block(queries: int, _keep: object = outputs) -> float:  # the runtime writes into the memory of these
        latencies = []
        for _ in range(queries):
            begin = clock()
            run(binding)
            latencies.append(clock() - begin)
        return statistics.median(latencies)

    begin = clock()
    while clock() - begin < WARM_UP_S * 1e9:
        run(binding)
    return block


if __name__ == "__main__":
    main()
