"""Serving a model: the child that holds its runtime is itself the HTTP server, until it is asked to stop.

A call of a child costs two files and a line of JSON, more than many models take to answer; here a request's tensor
goes straight into the runtime.
"""

import importlib
import socket
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry
from isoform.core import cases as case_files
from isoform.core import precision as precisions
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, Floor, Tensors
from isoform.core.numerics import judge, threshold_of
from isoform.core.protocols import RunOptions, Session
from isoform.errors import UsageError
from isoform.jobs.infer import Progress, opened
from isoform.server import app, protocol
from isoform.server.batcher import BatchOptions, has_batch_axis

_BACKLOG = 1024
_MOST_CASES = 4


def serve(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Serve an artifact; returns where nothing more is to be served.

    Args:
        arguments: runtime, artifact, cases (path), name, version (of isoform), host, port, threads, max_batch,
            max_delay_ms, max_waiting, max_request_bytes.
        progress: called once, when requests are accepted: url, and batching, what became of it.
    """
    row, artifact = opened(arguments)
    protocol.check_servable(artifact.signature)
    with _listener(arguments["host"], arguments["port"]) as listener:
        options = RunOptions(device=row.device, threads=arguments["threads"])
        session = importlib.import_module(row.module).load(artifact, options)
        try:
            why_not = _why_not_batched(session, artifact, row, Path(arguments["cases"]), arguments["max_batch"])
            listener.listen(_BACKLOG)
            served = app.Served(
                arguments["name"], f"{row.needs[0]}_{artifact.format}", artifact.signature, session.run, not why_not,
                arguments["max_request_bytes"],
            )  # fmt: skip
            batching = BatchOptions(
                arguments["max_batch"], arguments["max_delay_ms"] / 1000, arguments["max_waiting"]
            )  # fmt: skip
            progress(url=_url(listener), why_not_batched=why_not)
            app.run(served, batching, arguments["version"], listener)
        finally:
            session.close()
    return {}


def _listener(host: str, port: int) -> socket.socket:
    """Return a socket that has the address, and does not accept yet."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise UsageError(
            f"{host}:{port} cannot be listened on: {error.strerror}.", "Choose another --port; 0 is any free one."
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _why_not_batched(session: Session, artifact: Artifact, row: registry.Runtime, cases: Path, most: int) -> str:
    """Return why requests must not be computed together, "" where they may.

    That a dimension is called a batch proves nothing: an axis that statistics or a scale of integers are taken over is
    no batch. So the samples of recorded cases are computed apart, and have to answer as they do together.
    """
    if most == 1:
        return "it was asked for one at a time"
    if not has_batch_axis(artifact.signature):
        return "its inputs and outputs have no dynamic batch axis in common"
    known = case_files.load(cases)
    several = [index for index, inputs in enumerate(known.inputs) if _samples(inputs) > 1][:_MOST_CASES]
    if not several or known.floors is None:
        return "no recorded case tells whether samples depend on each other"
    chosen = known.only(several)
    together = [session.run(inputs) for inputs in chosen.inputs]
    apart = [_apart(session, inputs) for inputs in chosen.inputs]
    differing = [name for name in together[0] if not _agree(name, chosen, together, apart, artifact.precision, row)]
    return f"'{differing[0]}' of a sample depends on the samples beside it" if differing else ""


def _samples(inputs: Tensors) -> int:
    return int(next(iter(inputs.values())).shape[0])


def _apart(session: Session, inputs: Tensors) -> Tensors:
    rows = [
        session.run({name: array[row : row + 1] for name, array in inputs.items()}) for row in range(_samples(inputs))
    ]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _agree(
    name: str, cases: Cases, together: list[dict[str, Any]], apart: list[Tensors], precision: str, row: registry.Runtime
) -> bool:
    """Tell whether one output is the same but for rounding, as gate 3 judges it; exactly where it is no float."""
    one, other = [run[name] for run in together], [run[name] for run in apart]
    if any(mine.shape != its.shape for mine, its in zip(one, other, strict=True)):
        return False
    assert cases.floors is not None
    if one[0].dtype.kind != "f" or name not in cases.floors:
        return all(np.array_equal(mine, its) for mine, its in zip(one, other, strict=True))
    floor = Floor.over(cases.floors[name], [array.size for array in one])
    asked = precisions.lookup(precision)
    roundoff = "float32" if asked.is_integer else asked.roundoff  # steps of integers are no rounding between batches
    found = judge(name, one, one, other, floor, threshold_of(row.name), roundoff)
    return found.verdict == "PASS"
