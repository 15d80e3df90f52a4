"""Serving a model: the child that holds its runtime is itself the HTTP server, until it is asked to stop.

A call of a child costs two files and a line of JSON, more than many models take to answer; here a request's tensor
goes straight into the runtime.
"""

import importlib
import socket
from pathlib import Path
from typing import Any

from isoform.core.protocols import RunOptions
from isoform.errors import UsageError
from isoform.jobs import batching
from isoform.jobs.infer import Progress, opened
from isoform.server import app, protocol
from isoform.server.batcher import BatchOptions

_BACKLOG = 1024


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
            why_not = (
                "it was asked for one at a time" if arguments["max_batch"] == 1
                else batching.why_not(session, artifact, row, Path(arguments["cases"]))
            )  # fmt: skip
            listener.listen(_BACKLOG)
            served = app.Served(
                arguments["name"], f"{row.needs[0]}_{artifact.format}", artifact.signature, session.run, not why_not,
                arguments["max_request_bytes"],
            )  # fmt: skip
            limits = BatchOptions(
                arguments["max_batch"], arguments["max_delay_ms"] / 1000, arguments["max_waiting"]
            )  # fmt: skip
            progress(url=_url(listener), why_not_batched=why_not)
            app.run(served, limits, arguments["version"], listener)
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
