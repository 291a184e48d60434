"""Groups kept in memory, as a synchronisation needs them."""

from collections.abc import Callable

import msgspec

from atomic_registry.errors import AlreadyExists, ObjectUnknown, StaleRevision
from atomic_registry.identity.records import Group


class MemoryGroups:
    """Implements `GroupStore`; `on_list` is called once, after the next list."""

    def __init__(self) -> None:
        self.writes = 0
        self.on_list: Callable[[], None] = lambda: None
        self._groups: dict[str, bytes] = {}

    def list_groups(self) -> list[Group]:
        found = [self._find(name) for name in sorted(self._groups)]
        act, self.on_list = self.on_list, lambda: None
        act()
        return found

    def add_group(self, group: Group) -> None:
        if group.metadata.name in self._groups:
            raise AlreadyExists(kind="Group", name=group.metadata.name)
        self._keep(group)

    def update_group(self, group: Group) -> None:
        self._check(group)
        self._keep(group)

    def remove_group(self, group: Group) -> None:
        self._check(group)
        del self._groups[group.metadata.name]

    def _find(self, name: str) -> Group:
        return msgspec.json.decode(self._groups[name], type=Group)

    def _check(self, group: Group) -> None:
        name = group.metadata.name
        if name not in self._groups:
            raise ObjectUnknown(kind="Group", name=name)
        if self._find(name).metadata.resource_version != group.metadata.resource_version:
            raise StaleRevision(kind="Group", name=name)

    def _keep(self, group: Group) -> None:
        self.writes += 1
        metadata = msgspec.structs.replace(group.metadata, resource_version=str(self.writes))
        kept = msgspec.structs.replace(group, metadata=metadata)
        self._groups[group.metadata.name] = msgspec.json.encode(kept)
