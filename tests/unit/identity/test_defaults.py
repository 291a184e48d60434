"""What a registry starts with, and what a later start may change."""

from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.identity.actors import AUTHENTICATED, CLUSTER_ADMINS, Actor
from atomic_registry.identity.defaults import ensure_defaults
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.policy import Right
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.rbac import RbacPolicy
from atomic_registry.identity.records import ClusterRole, ClusterRoleBinding, Group, User
from atomic_registry.identity.roles import AUTO_UPDATE, RULES
from atomic_registry.kube.objects import ObjectMeta

START = ManualClock().now()
EVERYTHING = Right(verb="delete", group="user.openshift.io", resource="users")


async def start(store: MemoryIdentityStore, administrator: str = "") -> None:
    await store.write(lambda tx: ensure_defaults(tx, START, administrator=administrator))


async def find_role(store: MemoryIdentityStore, name: str) -> ClusterRole:
    role = await store.read(lambda tx: tx.objects.find(ClusterRole, name))
    assert role is not None
    return role


async def may_do_everything(store: MemoryIdentityStore, actor: Actor) -> bool:
    directory = Directory(store)
    await directory.refresh()
    return RbacPolicy(directory).grants(actor, EVERYTHING)


async def test_a_role_follows_the_release_unless_it_was_made_ones_own() -> None:
    store = MemoryIdentityStore()
    await start(store)

    def change(tx: Transaction) -> None:
        for name, is_kept in (("view", True), ("edit", False)):
            role = tx.objects.find(ClusterRole, name)
            assert role is not None
            role.rules = []
            role.metadata.annotations[AUTO_UPDATE] = "false" if is_kept else "true"
            tx.objects.update(role, actor="test", now=START)

    await store.write(change)
    await start(store)

    assert [] == (await find_role(store, "view")).rules
    assert list(RULES["edit"]) == (await find_role(store, "edit")).rules


async def test_a_binding_that_was_removed_stays_away() -> None:
    store = MemoryIdentityStore()
    await start(store)

    def remove(tx: Transaction) -> None:
        binding = tx.objects.find(ClusterRoleBinding, "self-provisioners")
        assert binding is not None
        tx.objects.remove(binding, actor="test", now=START)

    await store.write(remove)
    await start(store)

    assert (
        await store.read(lambda tx: tx.objects.find(ClusterRoleBinding, "self-provisioners"))
        is None
    )


async def test_the_administrator_that_the_start_names_may_do_everything() -> None:
    store = MemoryIdentityStore()
    for _ in range(2):
        await start(store, "admin")

    groups = frozenset({AUTHENTICATED})
    assert await may_do_everything(store, Actor(name="admin", groups=groups))
    assert not await may_do_everything(store, Actor(name="another", groups=groups))


async def test_a_stored_group_with_a_name_of_the_systems_makes_nobody_a_member() -> None:
    store = MemoryIdentityStore()
    await start(store)
    user = User(metadata=ObjectMeta(name="eve"))
    group = Group(metadata=ObjectMeta(name=CLUSTER_ADMINS), users=["eve"])

    def add(tx: Transaction) -> None:
        tx.objects.add(user, actor="test", now=START)
        tx.objects.add(group, actor="test", now=START)

    await store.write(add)

    assert not await may_do_everything(store, Actor(name="eve", uid=user.metadata.uid))
