"""A server as a process of its own, and many clients that ask it at once over real connections."""

import asyncio
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

TIMEOUT_S = 60.0
NO_ANSWER = 0
"""The status of a request whose connection broke."""
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Server:
    """A running ``isoform serve``, and what it told when it was ready."""

    process: "subprocess.Popen[str]"
    told: dict[str, Any]

    @property
    def model(self) -> str:
        """The address of the model."""
        return f"{self.told['url']}/v2/models/{self.told['name']}"


@dataclass(frozen=True)
class Answered:
    """One answer under load: which of the inputs was sent, what came back, and among how many samples."""

    index: int
    status: int
    seconds: float
    outputs: dict[str, Array]
    batch_size: int
    batch_begin: int


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """Serve the artifact in ``folder`` on a free port; the process is gone afterwards."""
    words = ["serve", str(folder), "--port", "0", "--json", *options]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "isoform", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = list(itertools.takewhile(lambda line: line != "}\n", process.stdout))
        assert lines, process.stderr.read() if process.stderr else ""
        yield Server(process, json.loads("".join([*lines, "}"])))
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_S)


def request(inputs: dict[str, Array], datatype: str = "FP32") -> bytes:
    """Return the body of a request whose inputs all have one datatype."""
    entries = [
        {"name": name, "datatype": datatype, "shape": list(array.shape), "data": array.ravel().tolist()}
        for name, array in inputs.items()
    ]
    return json.dumps({"inputs": entries}).encode()


def outputs(document: dict[str, Any], dtype: str = "float32") -> dict[str, Array]:
    """Return the outputs of a JSON answer."""
    return {row["name"]: np.array(row["data"], dtype).reshape(row["shape"]) for row in document["outputs"]}


def load(server: Server, bodies: Sequence[bytes], clients: int, seconds: float) -> list[Answered]:
    """Return every answer that ``clients`` got that asked without a pause, each its next body after the answer.

    Each asks at least once, however long that takes.
    """
    return asyncio.run(_load(server, bodies, clients, seconds))


async def _load(server: Server, bodies: Sequence[bytes], clients: int, seconds: float) -> list[Answered]:
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)

    async def ask(connection: httpx.AsyncClient, client: int) -> list[Answered]:
        found = []
        for turn in itertools.count(client):
            if found and time.monotonic() >= end:
                break
            index = turn % len(bodies)
            begin = time.monotonic()
            try:
                answer = await connection.post(f"{server.model}/infer", content=bodies[index])
            except httpx.TransportError:
                found.append(Answered(index, NO_ANSWER, time.monotonic() - begin, {}, 0, 0))
                continue
            taken = time.monotonic() - begin
            document = answer.json()
            if answer.status_code == httpx.codes.OK:
                place = document["parameters"]
                found.append(
                    Answered(index, 200, taken, outputs(document), place["batch_size"], place["batch_begin"])
                )  # fmt: skip
            else:
                found.append(Answered(index, answer.status_code, taken, {}, 0, 0))
        return found

    async with httpx.AsyncClient(limits=limits, timeout=TIMEOUT_S) as connection:
        end = time.monotonic() + seconds
        return list(itertools.chain(*await asyncio.gather(*(ask(connection, client) for client in range(clients)))))
