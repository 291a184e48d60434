"""Request counters in memory shared by all workers: one row each, every worker can render all.

A row has one writer, so no lock is needed; it survives its worker, so counters never go back.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

UNMATCHED = "unmatched"
_STATUSES = (
    *(200, 201, 202, 204, 206, 302, 304, 307, 400, 401, 403, 404, 405, 408, 409, 410, 411),
    *(412, 413, 415, 416, 417, 422, 429, 500, 501, 502, 503, 507),
)
_STATUS_INDEX = {status: index for index, status in enumerate(_STATUSES)}
_OTHER_STATUS = len(_STATUSES)
_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
# Within the cells of one route: statuses, buckets (the last is +Inf), then these.
_HISTOGRAM = _OTHER_STATUS + 1
_SECONDS = _HISTOGRAM + len(_BUCKETS) + 1
_RECEIVED = _SECONDS + 1
_SENT = _RECEIVED + 1
_WIDTH = _SENT + 1
# Cell 0 of a row is the number of requests in flight.
_FIRST_ROUTE = 1


class HttpMetrics(Collector):
    """Made before the workers are forked; each worker calls `attach` with its own index."""

    def __init__(
        self,
        routes: Iterable[tuple[str, str]],
        *,
        workers: int,
    ) -> None:
        labels = list(dict.fromkeys(_with_head(routes)))
        labels.append(("-", UNMATCHED))
        self._offsets = {label: _FIRST_ROUTE + index * _WIDTH for index, label in enumerate(labels)}
        self._unmatched = self._offsets["-", UNMATCHED]
        self._columns = _FIRST_ROUTE + len(labels) * _WIDTH
        self._workers = workers
        self._gauges: dict[str, tuple[str, float]] = {}
        self._cells = memoryview(mmap.mmap(-1, workers * self._columns * 8)).cast("d")
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self.attach(0)

    def attach(self, worker: int) -> None:
        """Write to the row of this worker from now on."""
        start = worker * self._columns
        self._row = self._cells[start : start + self._columns]
        self._row[0] = 0.0

    def enter(self) -> None:
        """Count a request as in flight."""
        self._row[0] += 1

    def leave(self) -> None:
        """Count a request as done."""
        self._row[0] -= 1

    def record(
        self, method: str, route: str, status: int, seconds: float, received: int, sent: int
    ) -> None:
        """Count one finished request."""
        row = self._row
        offset = self._offsets.get((method, route), self._unmatched)
        row[offset + _STATUS_INDEX.get(status, _OTHER_STATUS)] += 1
        row[offset + _HISTOGRAM + bisect_left(_BUCKETS, seconds)] += 1
        row[offset + _SECONDS] += seconds
        if received:
            row[offset + _RECEIVED] += received
        if sent:
            row[offset + _SENT] += sent

    def set_gauge(self, name: str, text: str, value: float) -> None:
        """Have this worker's next rendering show a value that was asked for elsewhere."""
        self._gauges[name] = (text, value)

    def render(self) -> bytes:
        """Return the text form of the counters of all workers."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield the families, summed over the workers."""
        sums = self._sums()
        yield self._requests(sums)
        yield self._latency(sums)
        for cell, name in ((_RECEIVED, "request"), (_SENT, "response")):
            family = CounterMetricFamily(
                f"atomic_registry_http_{name}_bytes",
                f"Bytes of {name} bodies.",
                labels=("method", "route"),
            )
            for label, offset in self._offsets.items():
                if sums[offset + cell]:
                    family.add_metric(label, sums[offset + cell])
            yield family
        yield GaugeMetricFamily(
            "atomic_registry_http_requests_in_flight", "Requests being handled.", value=sums[0]
        )
        for gauge, (text, value) in self._gauges.items():
            yield GaugeMetricFamily(gauge, text, value=value)

    def describe(self) -> Iterable[Metric]:
        """Spare the registry a collection when it registers this."""
        return ()

    def _sums(self) -> Sequence[float]:
        size = self._columns
        rows = [self._cells[n * size : (n + 1) * size].tolist() for n in range(self._workers)]
        return [sum(column) for column in zip(*rows, strict=True)]

    def _requests(self, sums: Sequence[float]) -> Metric:
        family = CounterMetricFamily(
            "atomic_registry_http_requests",
            "Requests answered.",
            labels=("method", "route", "status"),
        )
        names = [*map(str, _STATUSES), "other"]
        for (method, route), offset in self._offsets.items():
            for index, name in enumerate(names):
                if sums[offset + index]:
                    family.add_metric((method, route, name), sums[offset + index])
        return family

    def _latency(self, sums: Sequence[float]) -> Metric:
        family = HistogramMetricFamily(
            "atomic_registry_http_request_seconds",
            "Seconds until the answer was ready to be sent.",
            labels=("method", "route"),
        )
        bounds = [*map(str, _BUCKETS), "+Inf"]
        for label, offset in self._offsets.items():
            total = 0.0
            buckets = []
            for index, bound in enumerate(bounds):
                total += sums[offset + _HISTOGRAM + index]
                buckets.append((bound, total))
            if total:
                family.add_metric(label, buckets, sums[offset + _SECONDS])
        return family


def _with_head(routes: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for method, path in routes:
        yield method, path
        if method == "GET":
            yield "HEAD", path
