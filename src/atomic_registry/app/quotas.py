"""What the master shows of quotas: the stored objects, and what is used of them."""

from atomic_registry.clock import Clock
from atomic_registry.content.limits import Meter
from atomic_registry.faces.api.objects import ObjectHandlers, Writing
from atomic_registry.identity.records import ResourceQuota
from atomic_registry.resources.engine import ObjectService
from atomic_registry.resources.patching import PatchService
from atomic_registry.resources.ports import Authority
from atomic_registry.resources.projections import StoredProjector
from atomic_registry.resources.quotas import QuotaProjector, QuotaService
from atomic_registry.resources.rehearsal import RehearsalStore
from atomic_registry.store.metadata import MetadataDatabase


class Quotas:
    """Builds what serves resource quotas."""

    def __init__(self, metadata: MetadataDatabase, authority: Authority, clock: Clock) -> None:
        meter = Meter(metadata)
        self._clock = clock
        self._service, self._rehearsal = (
            QuotaService(ObjectService(store, clock, authority), meter)
            for store in (metadata, RehearsalStore(metadata))
        )
        self.projector = QuotaProjector(StoredProjector(metadata, ResourceQuota), meter)

    def handlers(self, patches: PatchService) -> ObjectHandlers:
        """Return the handlers of the kind."""
        writing = Writing(service=patches, rehearsal=self._rehearsal)
        return ObjectHandlers(self._service, self._clock, writing)
