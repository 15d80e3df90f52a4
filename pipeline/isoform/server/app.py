"""The routes of the Open Inference Protocol, as an ASGI application, and the process that serves it.

Every refusal is one line of JSON, ``{"error": ...}``: 4xx tells that the request is wrong, 503 that it may be sent
again. Not aware of runtimes.
"""

import contextlib
import socket
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isoform.core.signature import Signature
from isoform.server import protocol
from isoform.server.batcher import Batcher, BatchOptions, Compute, Overloaded
from isoform.server.metrics import CONTENT_TYPE, Metrics
from isoform.server.protocol import HEADER_LENGTH, Refused

GRACE_S = 8
"""How long requests that are being answered may take when the server is asked to stop."""
KEEP_ALIVE_S = 75
"""How long an idle connection stays: longer than clients keep one, so that none is closed as a request begins."""
_MOST_AT_ONCE = 4
"""Bodies of the largest size that may be read or wait at the same time."""
_REASON_LENGTH = 300
_VERSION = "1"


@dataclass(frozen=True)
class Served:
    """A model as clients see it.

    Attributes:
        compute: runs it; called by one thread at a time.
        is_batched: whether requests of several clients may be computed together.
        max_request_bytes: the largest body that is read.
    """

    name: str
    platform: str
    signature: Signature
    compute: Compute
    is_batched: bool
    max_request_bytes: int


def run(served: Served, options: BatchOptions, version: str, listener: socket.socket) -> None:
    """Serve until the process is asked to stop (SIGINT, SIGTERM); requests that are in by then are answered."""
    config = uvicorn.Config(
        application(served, options, version), log_config=None, access_log=False, lifespan="on", server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=GRACE_S,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


def application(served: Served, options: BatchOptions, version: str) -> Starlette:
    """Return the application that serves one model."""
    endpoints = _Endpoints(served, options, version)
    model = "/v2/models/{name}"
    routes = [
        Route("/v2", endpoints.server),
        Route("/v2/health/live", endpoints.live),
        Route("/v2/health/ready", endpoints.live),
        Route("/metrics", endpoints.metrics),
    ]
    for prefix in (model, f"{model}/versions/{{version}}"):
        routes += [
            Route(prefix, endpoints.model),
            Route(f"{prefix}/ready", endpoints.ready),
            Route(f"{prefix}/infer", endpoints.infer, methods=["POST"]),
        ]
    handlers: Any = {HTTPException: _told, Exception: _broken}
    return Starlette(routes=routes, lifespan=endpoints.lifespan, exception_handlers=handlers)


class _Endpoints:
    """What answers each route."""

    def __init__(self, served: Served, options: BatchOptions, version: str) -> None:
        self._served = served
        self._version = version
        self._counted = Metrics(lambda: self._batcher.waiting)
        self._batcher = Batcher(served.compute, served.is_batched, options, self._counted)
        self._held_bytes = 0

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Hold the queue open while the application runs."""
        self._batcher.start()
        yield
        await self._batcher.close()

    async def server(self, _: Request) -> Response:
        """Say what this server is."""
        return JSONResponse({"name": "isoform", "version": self._version, "extensions": list(protocol.EXTENSIONS)})

    async def live(self, _: Request) -> Response:
        """Say that it lives; it listens once the model is loaded, so that ready is the same."""
        return JSONResponse({"live": True, "ready": True})

    async def model(self, request: Request) -> Response:
        """Describe the model."""
        self._check_name(request)
        served = self._served
        return JSONResponse(protocol.metadata(served.name, served.platform, served.signature))

    async def ready(self, request: Request) -> Response:
        """Say that the model can be asked."""
        self._check_name(request)
        return JSONResponse({"name": self._served.name, "ready": True})

    async def metrics(self, _: Request) -> Response:
        """Give what is counted."""
        return Response(self._counted.text(), media_type=CONTENT_TYPE)

    async def infer(self, request: Request) -> Response:
        """Answer one inference request, or say in one line why not."""
        begin = time.monotonic()
        body = bytearray()
        try:
            response = await self._inferred(request, body)
        except Refused as refused:
            response = JSONResponse({"error": refused.reason}, refused.status)
        except HTTPException as unknown:
            response = _told(request, unknown)
        finally:
            self._held_bytes -= len(body)
        self._counted.answered(response.status_code, time.monotonic() - begin)
        return response

    async def _inferred(self, request: Request, body: bytearray) -> Response:
        self._check_name(request)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Refused(415, "Compressed requests are not read.")
        await self._read(request, body)
        served = self._served
        asked = protocol.parse(bytes(body), request.headers.get(HEADER_LENGTH), served.signature)
        try:
            computed = await self._batcher.submit(asked.inputs)
        except Overloaded:
            raise Refused(503, "Too many requests wait; send it again later.") from None
        except MemoryError:
            raise Refused(503, "There is not enough memory for this request.") from None
        except Exception as error:  # whatever the runtime raises for these inputs, the server goes on
            raise Refused(422, f"The model does not run with these inputs: {_first_line(error)}") from error
        told = {"batch_size": computed.batch_size, "batch_begin": computed.batch_begin}
        content, header_length = protocol.answer(served.name, served.signature, asked, computed.outputs, told)
        if header_length is None:
            return Response(content, media_type="application/json")
        return Response(content, headers={HEADER_LENGTH: str(header_length)}, media_type="application/octet-stream")

    async def _read(self, request: Request, body: bytearray) -> None:
        """Read the request into ``body``, no more than is allowed of one, nor of all that are not answered yet."""
        most = self._served.max_request_bytes
        try:
            async for chunk in request.stream():
                body += chunk
                self._held_bytes += len(chunk)
                if len(body) > most:
                    raise Refused(413, f"The request is larger than {most} bytes.")
                if self._held_bytes > _MOST_AT_ONCE * most:
                    raise Refused(503, "Too many large requests at once; send it again later.")
        except ClientDisconnect:
            raise Refused(400, "The request ended before its body did.") from None

    def _check_name(self, request: Request) -> None:
        named: Mapping[str, str] = request.path_params
        if named["name"] != self._served.name or named.get("version", _VERSION) != _VERSION:
            raise HTTPException(404, f"There is no such model here, only: {self._served.name}.")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:_REASON_LENGTH] if lines else type(error).__name__


def _told(request: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _broken(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": "This is a fault of the server; its log says more."}, 500)
