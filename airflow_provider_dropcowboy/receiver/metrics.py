"""What a receiver counts, for Prometheus."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from airflow_provider_dropcowboy.ledger.reconcile import Match

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Variable that names a folder in which processes add up their counts."""


class Refusal(StrEnum):
    """Why a callback was not kept."""

    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    UNKNOWN_ENCODING = "unknown_encoding"
    REPEATED = "repeated"
    NO_ROOM = "no_room"
    SPOOL_FULL = "spool_full"


class Metrics:
    """Counts of this process, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        name = "dropcowboy_callbacks"
        self.received = Counter(f"{name}_received", "Callbacks read whole.", registry=self._registry)
        self.spooled = Counter(f"{name}_spooled", "Callbacks that waited on disk.", registry=self._registry)
        self.forged = Counter(f"{name}_forged", "Requests without a token of ours.", registry=self._registry)
        self.lag = Histogram(
            f"{name}_lag_seconds",
            "From the last byte of a callback until it was on disk.",
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self._registry,
        )
        self._stored = Counter(
            f"{name}_stored", "Callbacks in the ledger, by what they came to.", ["match"], registry=self._registry
        )
        self._refused = Counter(
            f"{name}_refused", "Callbacks that were lost, by why.", ["reason"], registry=self._registry
        )
        self._waiting = Gauge(
            "dropcowboy_spool_callbacks",
            "Callbacks on disk that wait for the ledger.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._bytes = Gauge(
            "dropcowboy_spool_bytes", "What they take.", registry=self._registry, multiprocess_mode="livesum"
        )
        for match in Match:  # a series that is there from the start: the first conflict is seen as a rise
            self._stored.labels(match.value)
        for reason in Refusal:
            self._refused.labels(reason.value)

    def stored(self, matches: Mapping[Match, int]) -> None:
        """Callbacks came into the ledger."""
        for match, count in matches.items():
            self._stored.labels(match.value).inc(count)

    def refused(self, reason: Refusal) -> None:
        """A callback of the vendor's is lost."""
        self._refused.labels(reason.value).inc()

    def spool(self, *, callbacks: int, size: int) -> None:
        """So much waits on disk now."""
        self._waiting.set(callbacks)
        self._bytes.set(size)

    def text(self) -> bytes:
        """All counts as Prometheus reads them; of all processes, where they share a folder."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # prometheus_client has no type for it
        return generate_latest(shared)
