"""What the master shows of images: the services over content, and where clients pull from."""

from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

from atomic_registry.clock import Clock
from atomic_registry.config.settings import Settings, parse_listen
from atomic_registry.content.ports import BlobStore
from atomic_registry.content.tags import HISTORY_KEPT
from atomic_registry.faces.api.images import ImageHandlers, image_handlers
from atomic_registry.identity.policy import Policy
from atomic_registry.resources.images.image_projector import ImageProjector
from atomic_registry.resources.images.projector import ImageStreamProjector
from atomic_registry.resources.images.services import image_services
from atomic_registry.resources.images.surroundings import Surroundings, Transactions
from atomic_registry.resources.images.tag_projector import StreamTagProjector
from atomic_registry.resources.kinds import IMAGES, STREAM_TAGS, STREAMS
from atomic_registry.resources.patching import PatchService
from atomic_registry.resources.projections import Projector
from atomic_registry.resources.rehearsal import RehearsalStore
from atomic_registry.store.metadata import MetadataDatabase

_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


class Images:
    """Builds what serves the image group of the API."""

    def __init__(
        self,
        metadata: MetadataDatabase,
        blobs: BlobStore,
        policy: Policy,
        clock: Clock,
        *,
        host: str,
        history_kept: int = HISTORY_KEPT,
    ) -> None:
        self._clock = clock
        around = Surroundings(
            metadata=metadata, policy=policy, clock=clock, host=host, history_kept=history_kept
        )
        # A rehearsal hands on the transactions of the store below, which have all parts.
        tries = cast("Transactions", RehearsalStore(metadata))
        rehearsed = replace(around, metadata=tries)
        self._services = image_services(around, blobs)
        self._rehearsal = image_services(rehearsed, blobs)
        self.projectors: dict[str, Projector] = {
            STREAMS.plural: ImageStreamProjector(around),
            STREAM_TAGS.plural: StreamTagProjector(around, self._services.describer),
            IMAGES.plural: ImageProjector(around, self._services.describer),
        }

    def handlers(self, patches: PatchService) -> ImageHandlers:
        """Return the handlers of the group."""
        return image_handlers(self._services, self._rehearsal, patches, self._clock)


def registry_host(settings: Settings, master_url: str, named: str = "") -> str:
    """Return the address that clients push to and pull from, as image references have it.

    `named` is what the master's file calls it.
    """
    if settings.http.public_host or named:
        return settings.http.public_host or named
    host, port = parse_listen(settings.http.listen)
    if host in _EVERY_ADDRESS:
        host = urlsplit(master_url).hostname or host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
