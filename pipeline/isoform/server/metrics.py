"""What a server counts, in Prometheus' text format."""

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counters of one server.

    Args:
        waiting: gives how many requests wait for the model.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "isoform_requests", "Inference requests answered, by HTTP status", ["status"], registry=self._registry
        )
        self._request_s = Histogram(
            "isoform_request_seconds", "From a request's body to its answer", buckets=_SECONDS, registry=self._registry
        )
        self._compute_s = Histogram(
            "isoform_compute_seconds", "What the model takes for a batch", buckets=_SECONDS, registry=self._registry
        )
        self._batch = Histogram(
            "isoform_batch_samples", "Samples computed together", buckets=_SAMPLES, registry=self._registry
        )
        gauge = Gauge("isoform_waiting_requests", "Requests that wait for the model", registry=self._registry)
        gauge.set_function(waiting)

    def answered(self, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(str(status)).inc()
        self._request_s.observe(seconds)

    def computed(self, samples: int, seconds: float) -> None:
        """Count one batch."""
        self._batch.observe(samples)
        self._compute_s.observe(seconds)

    def text(self) -> bytes:
        """Return what a scraper reads."""
        return generate_latest(self._registry)
