"""Keeps certificates good while a service runs; its listener takes the new files by itself."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from atomic_registry.config.load import ConfigInvalid

_logger = structlog.get_logger(__name__)
# Certificates are renewed in the last third of their life: weeks, for all but the shortest.
_INTERVAL_SECONDS = 3600.0


class Renewal:
    """Steps that look after a certificate each; one that fails keeps none of the others back."""

    def __init__(self, steps: Sequence[Callable[[], object]]) -> None:
        self._steps = tuple(steps)

    def renew(self) -> None:
        """Take each step once; what fails is logged, and tried again the next time."""
        for step in self._steps:
            try:
                step()
            except (ConfigInvalid, OSError) as error:
                _logger.error(  # noqa: TRY400, the traceback says nothing more
                    "certificate not renewed; run `atomic-registry ca renew-server-cert` as a user "
                    "who may read the authority's key and write the certificate",
                    reason=str(error),
                )

    async def run(self, *, interval: float = _INTERVAL_SECONDS) -> None:
        """Renew from time to time; runs until it is cancelled."""
        while True:
            await asyncio.sleep(interval)
            await asyncio.to_thread(self.renew)
