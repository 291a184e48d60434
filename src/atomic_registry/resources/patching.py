"""Writes of documents with who manages which field: create, replace, patch and apply.

It works on any collection of documents: what is written is computed from what is there, and the
collection checks and stores it only if nothing has changed in between.
"""

from collections.abc import Callable

from atomic_registry.clock import Clock
from atomic_registry.errors import (
    AlreadyExists,
    Denied,
    ObjectUnknown,
    StaleRevision,
)
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Policy, Right
from atomic_registry.kube.managed_fields import (
    APPLY,
    UPDATE,
    ManagedEntry,
    field_set,
)
from atomic_registry.kube.objects import timestamp
from atomic_registry.kube.shapes import Document
from atomic_registry.resources.fields import (
    stored_form,
    unknown_fields,
    without_unknown,
)
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.patch_steps import (
    applied,
    checked_config,
    is_pinned,
    is_unchanged,
    patched,
    pinned,
    tracked,
    validate,
    with_entries,
    with_metadata,
)
from atomic_registry.resources.writes import (
    Documents,
    Patch,
    PatchType,
    Target,
    WriteOptions,
    Written,
)

_ATTEMPTS = 5


# Returns the document to store and its entries, made from what is stored now.
_Step = Callable[[Document], tuple[Document, list[ManagedEntry]]]


class PatchService:
    """Writes documents and keeps `metadata.managedFields`; rights to create are the policy's."""

    def __init__(self, clock: Clock, policy: Policy) -> None:
        self._clock = clock
        self._policy = policy

    async def create(
        self,
        objects: Documents,
        actor: Actor,
        place: Place,
        document: Document,
        options: WriteOptions,
    ) -> Written:
        """Store a new object whose every field is its writer's.

        Raises:
            ParameterInvalid: a field is unknown, and that was to be refused.
            ObjectInvalid, AlreadyExists, Denied: as the collection says.
        """
        warnings = validate(place, document, options.validation)
        target = self._target(objects, actor, place, "", options)
        entry = ManagedEntry(
            manager=target.manager(UPDATE),
            time=target.now,
            fields=field_set(target.kind, stored_form(place, document)),
        )
        made = await objects.create(actor, place, with_entries(document, [entry]))
        return Written(document=made, is_new=True, warnings=warnings)

    async def update(
        self,
        objects: Documents,
        actor: Actor,
        place: Place,
        name: str,
        document: Document,
        options: WriteOptions,
    ) -> Written:
        """Replace an object; what differs becomes its writer's.

        Raises:
            ParameterInvalid: a field is unknown, and that was to be refused.
            ObjectInvalid, ObjectUnknown, StaleRevision, Denied: as the collection says.
        """
        warnings = validate(place, document, options.validation)
        target = self._target(objects, actor, place, name, options)

        def step(live: Document) -> tuple[Document, list[ManagedEntry]]:
            return tracked(target, live, document)

        changed = await _change(target, step, is_pinned(document))
        return Written(document=changed, warnings=warnings)

    async def patch(
        self,
        objects: Documents,
        actor: Actor,
        place: Place,
        name: str,
        patch: Patch,
        options: WriteOptions,
    ) -> Written:
        """Change an object as the patch says; an apply makes what is not there.

        Raises:
            ParameterInvalid: the patch cannot be read, or has unknown fields and may not.
            PatchFailed: it does not fit the object.
            ApplyConflict: somebody else manages what an apply would change.
            StaleRevision: the object is not the one that the patch was made for.
            TooLarge: the result is larger than an object may be.
            Denied: an apply would create, and the actor may not.
        """
        target = self._target(objects, actor, place, name, options)
        if patch.type is PatchType.APPLY:
            return await self._apply(target, checked_config(target, patch.body))
        warnings: list[str] = []

        def step(live: Document) -> tuple[Document, list[ManagedEntry]]:
            document = patched(target, patch, live)
            warnings[:] = validate(place, document, options.validation)
            return tracked(target, live, document)

        asks = patch.type is not PatchType.JSON and is_pinned(patch.body)
        changed = await _change(target, step, asks)
        return Written(document=changed, warnings=tuple(warnings))

    async def _apply(self, target: Target, config: Document) -> Written:
        warnings = validate(target.place, config, target.options.validation)
        config = without_unknown(config, unknown_fields(target.place, config))

        def step(live: Document) -> tuple[Document, list[ManagedEntry]]:
            return applied(target, live, config)

        for attempt in range(_ATTEMPTS):
            try:
                changed = await _change(target, step, is_pinned(config))
                return Written(document=changed, warnings=warnings)
            except ObjectUnknown:
                # Roles that a binding names may be what is unknown; then the object is there.
                if is_pinned(config) or await _exists(target):
                    raise
            try:
                made = await self._create_applied(target, config)
                return Written(document=made, is_new=True, warnings=warnings)
            except AlreadyExists:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise StaleRevision(kind=target.kind, name=target.name)

    async def _create_applied(self, target: Target, config: Document) -> Document:
        place = target.place
        right = Right(
            verb="create",
            group=place.resource.asked_group(place.group),
            resource=place.resource.plural,
            namespace=place.namespace,
        )
        if not self._policy.grants(target.actor, right):
            raise Denied(actor=target.actor.name, verb="create", resource=place.resource.plural)
        entry = ManagedEntry(
            manager=target.manager(APPLY),
            time=target.now,
            fields=field_set(target.kind, config),
        )
        named = with_metadata(config, {"name": target.name})
        return await target.objects.create(target.actor, place, with_entries(named, [entry]))

    def _target(
        self, objects: Documents, actor: Actor, place: Place, name: str, options: WriteOptions
    ) -> Target:
        return Target(
            objects=objects,
            actor=actor,
            place=place,
            name=name,
            options=options,
            now=timestamp(self._clock.now()),
        )


async def _change(target: Target, step: _Step, asks_version: bool) -> Document:  # noqa: FBT001
    """Store what the step makes of the object; again if another writer came in between."""
    for attempt in range(_ATTEMPTS):
        live = await target.objects.get(target.place, target.name)
        document, entries = step(live)
        if is_unchanged(target.place, live, document, entries):
            return live
        document = pinned(with_entries(document, entries), live)
        try:
            return await target.objects.update(target.actor, target.place, target.name, document)
        except StaleRevision:
            if asks_version or attempt == _ATTEMPTS - 1:
                raise
    raise StaleRevision(kind=target.kind, name=target.name)


async def _exists(target: Target) -> bool:
    try:
        await target.objects.get(target.place, target.name)
    except ObjectUnknown:
        return False
    return True
