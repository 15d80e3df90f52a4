"""The jobs that measure what a machine can do: matrix products in float32 and of integers, and moving bytes, by how
many these are.

As STREAM does (J. McCalpin, 1995), the best of several passes counts, over arrays that no cache holds; copying counts
what is read and what is written. Small arrays are read again and again, so that caches are measured too: a model that
fits into one is not held up by memory. BLAS has one thread in this child, and each thread here calls it for itself:
numpy lets go of the interpreter's lock meanwhile. NumPy multiplies integers without the instructions that kernels for
models use, so that those products are ONNX Runtime's, with its own threads. Not aware of any model.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from isoform.core import machine

EDGES = (512, 1024, 2048)
"""Edges of square matrices: the best size counts."""
SPENT_S = 0.5
FEWEST_PASSES = 5
LEVELS = tuple(1 << shift for shift in range(16, 27, 2))
"""Bytes that are read again and again, from 64 KiB to 64 MiB."""
_READ_AT_LEAST = 64 << 20
_LINE = 64
"""Bytes of a cache line."""
SMALLEST_BYTES, LARGEST_BYTES = 64 << 20, 512 << 20
Work = Callable[[], object]


def measure(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return by number of threads flops_per_s, memory_bytes_per_s, and levels: (bytes, bytes_per_s) of what is reread.

    Args:
        arguments: threads (a list). The environment has to hold BLAS to one thread: stages/ceilings.py.
    """
    found = {}
    for threads in arguments["threads"]:
        size = array_bytes()
        memory = max(copied(threads, size), reread(threads, size, SPENT_S))
        found[str(threads)] = {
            "flops_per_s": multiplied(threads),
            "memory_bytes_per_s": memory,
            "levels": [[each, reread(threads, each, SPENT_S / 4)] for each in LEVELS if each < size],
        }
        progress(threads=threads)
    return {"kernel": "numpy", "versions": {"numpy": np.__version__}, "threads": found}


def multiplied(threads: int, edges: Sequence[int] = EDGES) -> float:
    """Return the floating-point operations a second of matrix products, one for each thread at a time."""
    rates = []
    for edge in edges:
        left, right = (np.random.default_rng(0).random((edge, edge), np.float32) for _ in range(2))
        results = [np.empty((edge, edge), np.float32) for _ in range(threads)]
        works = [partial(np.matmul, left, right, out=out) for out in results]
        rates.append(threads * 2 * edge**3 / best_s(works))
    return max(rates)


def integers(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return integer_ops_per_s by number of threads, and what multiplied: in a child with ONNX Runtime.

    Args:
        arguments: threads (a list).
    """
    import onnxruntime

    found = {}
    for threads in arguments["threads"]:
        found[str(threads)] = {"integer_ops_per_s": multiplied_integers(threads)}
        progress(threads=threads)
    return {"integer_kernel": f"MatMulInteger of onnxruntime {onnxruntime.__version__}", "threads": found}


def multiplied_integers(threads: int, edges: Sequence[int] = EDGES) -> float:
    """Return the operations a second of products of uint8 with int8, summed in int32, one after the other.

    The right side is a constant, as the weights of a layer are: the runtime brings it into its own order beforehand.
    """
    rates = []
    for edge in edges:
        left = np.random.default_rng(0).integers(0, 255, (edge, edge), np.uint8)
        session = _integer_product(np.random.default_rng(1).integers(-127, 127, (edge, edge), np.int8), threads)
        rates.append(2 * edge**3 / best_s([partial(session.run, None, {"x": left})]))
    return max(rates)


def _integer_product(right: np.ndarray, threads: int) -> Any:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    side = list(right.shape)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])], "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, side)],
        [helper.make_tensor_value_info("y", TensorProto.INT32, side)], [numpy_helper.from_array(right, "w")],
    )  # fmt: skip
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def copied(threads: int, size_bytes: int) -> float:
    """Return the bytes a second of copying an array, its pieces shared among threads."""
    source = np.ones(size_bytes // 4, np.float32)
    target = np.zeros_like(source)
    pieces = zip(np.array_split(source, threads), np.array_split(target, threads), strict=True)
    return 2 * source.nbytes / best_s([partial(np.copyto, two, one) for one, two in pieces])


def reread(threads: int, size_bytes: int, spent_s: float) -> float:
    """Return the bytes a second of reading an array, small ones many times in one call, pieces shared among threads.

    Each row of the matrix that is read begins a cache line behind the one before: numpy goes through them one by one.
    """
    columns = size_bytes // 4 // threads
    rows = max(1, _READ_AT_LEAST // (4 * columns * threads))
    pieces = [np.ones(columns + rows * _LINE // 4, np.float32) for _ in range(threads)]
    views = [as_strided(piece, (rows, columns), (_LINE, 4), writeable=False) for piece in pieces]
    works = [partial(np.max, view, axis=1) for view in views]
    return threads * rows * columns * 4 / best_s(works, spent_s)


def best_s(works: Sequence[Work], spent_s: float = SPENT_S) -> float:
    """Return the seconds of the fastest pass, in which each of ``works`` has a thread of its own."""
    best, spent, passes = float("inf"), 0.0, 0
    with ThreadPoolExecutor(len(works)) as pool:
        while passes < FEWEST_PASSES or spent < spent_s:
            begin = time.perf_counter()
            list(pool.map(lambda work: work(), works))
            taken = time.perf_counter() - begin
            best, spent, passes = min(best, taken), spent + taken, passes + 1
    return best


def array_bytes() -> int:
    """Return the size of an array that the last cache does not hold, up to 512 MiB and a sixteenth of the memory."""
    memory = machine.describe().memory_bytes or 16 * SMALLEST_BYTES
    wanted = max(SMALLEST_BYTES, 2 * (machine.last_cache_bytes() or 0))
    return max(1 << 20, min(wanted, LARGEST_BYTES, memory // 16))
