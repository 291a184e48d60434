"""What every store does with the objects of identity and with the log of their changes."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.contract.metadata_store import NAME, OpenAnother, change, create

from atomic_registry.errors import AlreadyExists, ObjectInvalid, ObjectUnknown, StaleRevision
from atomic_registry.identity.ports import ObjectChange, Transaction
from atomic_registry.identity.records import (
    ClusterRole,
    Group,
    PolicyRule,
    Project,
    Role,
    RoleBinding,
    RoleReference,
    ServiceAccount,
    Subject,
    User,
)
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.store.metadata import MetadataDatabase

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class Refused(Exception):
    """Raised by a transaction function."""


def user(name: str = "mary", **fields: object) -> User:
    return User(metadata=ObjectMeta(name=name), **fields)  # type: ignore[arg-type]


def robot(namespace: str, name: str) -> ServiceAccount:
    return ServiceAccount(metadata=ObjectMeta(name=name, namespace=namespace))


async def add(store: MetadataDatabase, *items: KubeObject) -> None:
    def run(tx: Transaction) -> None:
        for item in items:
            tx.objects.add(item, actor="root", now=NOW)

    await store.write(run)


async def update(store: MetadataDatabase, item: KubeObject) -> None:
    await store.write(lambda tx: tx.objects.update(item, actor="root", now=NOW))


async def remove(store: MetadataDatabase, item: KubeObject) -> None:
    await store.write(lambda tx: tx.objects.remove(item, actor="root", now=NOW))


async def find(store: MetadataDatabase, name: str = "mary") -> User | None:
    return await store.read(lambda tx: tx.objects.find(User, name))


async def list_users(store: MetadataDatabase, namespace: str) -> list[User]:
    return await store.read(lambda tx: tx.objects.list(User, namespace=namespace, limit=1))


async def get(store: MetadataDatabase, name: str = "mary") -> User:
    found = await find(store, name)
    assert found is not None
    return found


async def changes(
    store: MetadataDatabase, after: int = 0, limit: int = 1_000
) -> tuple[list[ObjectChange], int]:
    return await store.read(lambda tx: tx.object_changes(after, limit=limit))


class ObjectsContract:
    async def test_an_added_object_gets_uid_time_and_revision(
        self, store: MetadataDatabase
    ) -> None:
        mary, bob = user(full_name="Mary \0 é"), user("bob")
        await add(store, mary, bob)
        assert (mary.metadata.resource_version, bob.metadata.resource_version) == ("1", "2")
        assert mary.metadata.creation_timestamp == "2026-01-02T03:04:05Z"
        assert len(mary.metadata.uid) == 32 and mary.metadata.uid != bob.metadata.uid
        assert await find(store) == mary
        assert await find(store, "bob") == bob
        assert await store.last_revision() == 2

    async def test_every_field_of_a_kind_comes_back(self, store: MetadataDatabase) -> None:
        rule = PolicyRule(
            verbs=("get", "*"), api_groups=("",), resource_names=("a",), non_resource_urls=("/x",)
        )
        role = Role(
            metadata=ObjectMeta(
                name="r", namespace="p", uid="mine", generation=3, labels={"a": "b"},
                annotations={"c": "d"}, creation_timestamp="2020-01-01T00:00:00Z",
            ),
            rules=[rule],
        )  # fmt: skip
        binding = RoleBinding(
            metadata=ObjectMeta(name="r", namespace="p"),
            role_ref=RoleReference(kind="Role", name="r"),
            subjects=[Subject(kind="ServiceAccount", name="s", namespace="p")],
        )
        await add(store, role, binding)
        assert role.metadata.uid == "mine"
        assert await store.read(lambda tx: tx.objects.find(Role, "r", namespace="p")) == role
        found = await store.read(lambda tx: tx.objects.find(RoleBinding, "r", namespace="p"))
        assert found == binding
        assert await store.read(lambda tx: tx.objects.find(ClusterRole, "r")) is None
        assert await store.read(lambda tx: tx.objects.find(Role, "r")) is None

    async def test_a_name_is_taken_once_in_its_kind_and_namespace(
        self, store: MetadataDatabase
    ) -> None:
        await add(store, user(), robot("a", "mary"), robot("b", "mary"))
        with pytest.raises(AlreadyExists):
            await add(store, user())
        assert await store.last_revision() == 3

    async def test_of_two_that_add_one_name_at_once_one_does(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        another = open_another()
        try:
            results = await asyncio.gather(
                *((store, another)[n % 2].write(_adding(n)) for n in range(12)),
                return_exceptions=True,
            )
        finally:
            await another.close()
        assert sum(isinstance(r, AlreadyExists) for r in results) == 11
        assert [(await get(store)).full_name] == [r for r in results if isinstance(r, str)]

    async def test_an_object_that_changed_since_it_was_read_is_not_replaced(
        self, store: MetadataDatabase
    ) -> None:
        await add(store, user())
        first, second = await get(store), await get(store)
        first.full_name = "First"
        await update(store, first)
        assert first.metadata.resource_version == "2"
        second.full_name = "Second"
        for version in ("1", "3", "02", "nonsense", "9" * 40):
            second.metadata.resource_version = version
            with pytest.raises(StaleRevision):
                await update(store, second)
        assert await find(store) == first
        blind = user(full_name="Blind")
        await update(store, blind)
        assert await find(store) == blind
        assert blind.metadata.uid == first.metadata.uid
        assert blind.metadata.creation_timestamp == first.metadata.creation_timestamp

    async def test_of_writers_that_read_the_same_revision_one_wins(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        another, stores = open_another(), [store]
        stores.append(another)
        await add(store, user())
        read = [await get(store) for _ in range(10)]
        try:
            results = await asyncio.gather(
                *(update(stores[n % 2], item) for n, item in enumerate(read)),
                return_exceptions=True,
            )
        finally:
            await another.close()
        assert sum(isinstance(r, StaleRevision) for r in results) == 9
        assert (await get(store)).metadata.resource_version == "2"

    async def test_a_locked_object_is_changed_by_one_at_a_time(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        another = open_another()
        await add(store, Group(metadata=ObjectMeta(name="g")))

        def join(number: int) -> Callable[[Transaction], None]:
            def run(tx: Transaction) -> None:
                group = tx.objects.find(Group, "g", lock=True)
                assert group is not None
                group.users.append(f"u{number}")
                tx.objects.update(group, actor="root", now=NOW)

            return run

        try:
            await asyncio.gather(*((store, another)[n % 2].write(join(n)) for n in range(20)))
        finally:
            await another.close()
        group = await store.read(lambda tx: tx.objects.find(Group, "g"))
        assert group is not None
        assert sorted(group.users) == sorted(f"u{n}" for n in range(20))
        assert group.metadata.resource_version == "21"

    async def test_a_namesake_made_anew_is_another_object(self, store: MetadataDatabase) -> None:
        old = user()
        await add(store, old)
        await remove(store, old)
        await remove(store, old)
        with pytest.raises(ObjectUnknown):
            await update(store, old)
        await add(store, user())
        old.metadata.resource_version = ""
        with pytest.raises(ObjectUnknown):
            await update(store, old)
        await remove(store, old)
        assert (await get(store)).metadata.resource_version == "3"
        await remove(store, user())
        assert await find(store) is None

    async def test_objects_are_listed_in_byte_order_of_namespace_and_name(
        self, store: MetadataDatabase
    ) -> None:
        pairs = [(s, n) for s in ("a", "a-b", "B", "b") for n in ("x", "X", "x-1")]
        await add(store, *(robot(*pair) for pair in pairs), user("a"))

        async def page(
            namespace: str | None = None, after: tuple[str, str] = ("", ""), limit: int = 99
        ) -> list[tuple[str, str]]:
            listed = await store.read(
                lambda tx: tx.objects.list(
                    ServiceAccount, namespace=namespace, after=after, limit=limit
                )
            )
            return [(item.metadata.namespace, item.metadata.name) for item in listed]

        assert await page() == sorted(pairs)
        assert await page(after=("a", "x"), limit=3) == sorted(pairs)[5:8]
        assert await page("a") == [("a", "X"), ("a", "x"), ("a", "x-1")]
        assert await page("a", after=("a", "X"), limit=1) == [("a", "x")]
        assert await page("none") == [] == await page("")

    async def test_names_that_no_database_takes_are_unknown(self, store: MetadataDatabase) -> None:
        for name in ("a\0b", "\ud800"):
            assert await find(store, name) is None
            assert await list_users(store, name) == []
            await remove(store, user(name))
            with pytest.raises(ObjectUnknown):
                await update(store, user(name))
            with pytest.raises(ObjectInvalid):
                await add(store, user(name))

    async def test_a_failed_function_leaves_its_objects_without_a_revision(
        self, store: MetadataDatabase
    ) -> None:
        mary = user()

        def fail(tx: Transaction) -> None:
            tx.objects.add(mary, actor="root", now=NOW)
            raise Refused

        with pytest.raises(Refused):
            await store.write(fail)
        assert mary.metadata.resource_version == ""
        await add(store, mary)
        assert mary.metadata.resource_version == "1"

    async def test_objects_that_are_written_at_once_each_name_their_own_revision(
        self, store: MetadataDatabase
    ) -> None:
        people = [user(f"u{n}") for n in range(30)]
        await asyncio.gather(*(add(store, one) for one in people))
        revisions = sorted(int(one.metadata.resource_version) for one in people)
        assert revisions == list(range(1, 31))
        for one in people:
            assert await find(store, one.metadata.name) == one

    async def test_several_writes_to_one_object_in_one_transaction_each_count(
        self, store: MetadataDatabase
    ) -> None:
        def run(tx: Transaction) -> tuple[User, User]:
            made = user()
            tx.objects.add(made, actor="root", now=NOW)
            found = tx.objects.find(User, "mary", lock=True)
            assert found is not None
            found.full_name = "Again"
            tx.objects.update(found, actor="root", now=NOW)
            for _ in range(2):
                tx.objects.add(user("gone"), actor="root", now=NOW)
                gone = tx.objects.find(User, "gone")
                assert gone is not None
                tx.objects.remove(gone, actor="root", now=NOW)
            return made, found

        made, found = await store.write(run)
        assert (made.metadata.resource_version, found.metadata.resource_version) == ("1", "2")
        assert await find(store) == found
        assert await find(store, "gone") is None
        assert await store.last_revision() == 6


class ObjectChangesContract:
    async def test_changes_of_objects_are_told_apart_from_pushes(
        self, store: MetadataDatabase
    ) -> None:
        mary = user()
        await create(store)
        await add(store, mary)
        await store.write(lambda tx: tx.append(change(1)))
        mary.disabled = True
        await update(store, mary)
        await remove(store, mary)
        await store.write(lambda tx: tx.append(change(2)))
        seen, newest = await changes(store)
        assert newest == 5 == await store.last_revision()
        assert [(c.revision, c.plural, c.name) for c in seen] == [
            (1, "users", "mary"), (3, "users", "mary"), (4, "users", "mary"),
        ]  # fmt: skip
        assert [isinstance(c.body, User) and c.body.disabled for c in seen] == [False, True, False]
        assert seen[1].body == mary and seen[2].body is None
        assert await changes(store, 1, 1) == (seen[1:2], 5)
        assert await changes(store, 4) == ([], 5)
        log = await store.changes_since(0, 10)
        assert [(r, c.repository) for r, c in log] == [(2, NAME), (5, NAME)]

    async def test_replaying_the_changes_gives_what_is_stored(
        self, store: MetadataDatabase
    ) -> None:
        dice = random.Random(7)
        followed: dict[tuple[str, str, str], KubeObject] = {}
        after = 0
        for _ in range(60):
            await asyncio.gather(
                *(store.write(_random_change(dice.random())) for _ in range(dice.randrange(4))),
                return_exceptions=True,
            )
            seen, newest = await changes(store, after, dice.randrange(1, 9))
            after = seen[-1].revision if seen else newest
            _replay(followed, seen)
        seen, newest = await changes(store, after)
        _replay(followed, seen)
        assert len(followed) > 5 and newest > 80
        assert list(followed.values()) == await store.read(_everything)


def _adding(number: int) -> Callable[[Transaction], str]:
    def run(tx: Transaction) -> str:
        tx.objects.add(user(full_name=f"Mary {number}"), actor="root", now=NOW)
        return f"Mary {number}"

    return run


def _random_change(seed: float) -> Callable[[Transaction], None]:
    def run(tx: Transaction) -> None:
        # Made here, so that a function that is repeated does the same again.
        dice = random.Random(seed)
        for _ in range(dice.randrange(1, 4)):
            _change_one(tx, dice)
        if dice.random() < 0.2:
            raise Refused

    return run


def _change_one(tx: Transaction, dice: random.Random) -> None:
    kind = dice.choice((Project, User, ServiceAccount))
    namespace = dice.choice("ab") if kind.namespaced else ""
    name = dice.choice("uvwx")
    found = tx.objects.find(kind, name, namespace=namespace, lock=True)
    if found is None:
        item = kind(metadata=ObjectMeta(name=name, namespace=namespace))
        tx.objects.add(item, actor="root", now=NOW)
    elif dice.random() < 0.5:
        tx.objects.remove(found, actor="root", now=NOW)
    else:
        found.metadata.labels["at"] = str(dice.random())
        tx.objects.update(found, actor="root", now=NOW)


def _replay(followed: dict[tuple[str, str, str], KubeObject], seen: list[ObjectChange]) -> None:
    for one in seen:
        key = (one.plural, one.namespace, one.name)
        if one.body is None:
            del followed[key]
        else:
            followed[key] = one.body
    ordered = sorted(followed.items())
    followed.clear()
    followed.update(ordered)


def _everything(tx: Transaction) -> list[KubeObject]:
    # In the order of the plural names.
    return [
        item
        for kind in (Project, ServiceAccount, User)
        for item in tx.objects.list(kind, limit=1_000)
    ]
