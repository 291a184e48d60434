"""What a registry starts with, and what a later start may change."""

from dataclasses import replace

import pytest
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.identity.actors import AUTHENTICATED, CLUSTER_ADMINS, MASTERS, Actor
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


async def test_what_was_deleted_of_the_defaults_comes_back_and_is_named() -> None:
    store = MemoryIdentityStore()
    await start(store)

    def remove(tx: Transaction) -> None:
        for kind in (ClusterRole, ClusterRoleBinding):
            for item in tx.objects.list(kind, limit=100):
                tx.objects.remove(item, actor="test", now=START)
        tx.objects.add(User(metadata=ObjectMeta(name="mary")), actor="test", now=START)

    await store.write(remove)
    restored = await store.write(lambda tx: ensure_defaults(tx, START, founder="mary"))

    assert {"clusterrole view", "clusterrolebinding self-provisioners"} < set(restored)
    assert await may_do_everything(store, Actor(name="x", groups=frozenset({CLUSTER_ADMINS})))
    mary = Actor(name="mary", groups=frozenset({AUTHENTICATED}))
    assert not await may_do_everything(store, mary), "a founder is one of a new registry only"
    assert [] == await store.write(lambda tx: ensure_defaults(tx, START))


async def test_a_default_binding_that_was_emptied_stays_empty() -> None:
    store = MemoryIdentityStore()
    await start(store)

    def find(tx: Transaction) -> ClusterRoleBinding:
        binding = tx.objects.find(ClusterRoleBinding, "self-provisioners")
        assert binding is not None
        return binding

    def empty(tx: Transaction) -> None:
        binding = find(tx)
        binding.subjects = []
        tx.objects.update(binding, actor="test", now=START)

    await store.write(empty)
    await start(store)

    assert [] == (await store.read(find)).subjects


async def test_masters_are_never_locked_out_and_are_told_why() -> None:
    store = MemoryIdentityStore()
    directory = Directory(store)
    await directory.refresh()
    policy = RbacPolicy(directory)
    root = Actor(name="system:admin", groups=frozenset({MASTERS}))

    reason = policy.explain(root, EVERYTHING)

    assert policy.grants(root, EVERYTHING)
    assert (True, "") == (reason.granted, reason.binding)
    assert "system:masters may do everything" in reason.text
    assert [] == policy.may_grant(root, "", RULES["cluster-admin"])
    assert ([], [MASTERS]) == policy.who_can(EVERYTHING)
    assert not policy.grants(replace(root, scopes=("user:info",)), EVERYTHING)
    assert not policy.grants(replace(root, repositories={}), EVERYTHING)


async def test_the_administrator_that_the_start_names_may_do_everything() -> None:
    store = MemoryIdentityStore()
    for _ in range(2):
        await start(store, "admin")

    groups = frozenset({AUTHENTICATED})
    assert await may_do_everything(store, Actor(name="admin", groups=groups))
    assert not await may_do_everything(store, Actor(name="another", groups=groups))


@pytest.mark.parametrize("name", [CLUSTER_ADMINS, MASTERS])
async def test_a_stored_group_with_a_name_of_the_systems_makes_nobody_a_member(name: str) -> None:
    store = MemoryIdentityStore()
    await start(store)
    user = User(metadata=ObjectMeta(name="eve"))
    group = Group(metadata=ObjectMeta(name=name), users=["eve"])

    def add(tx: Transaction) -> None:
        tx.objects.add(user, actor="test", now=START)
        tx.objects.add(group, actor="test", now=START)

    await store.write(add)

    assert not await may_do_everything(store, Actor(name="eve", uid=user.metadata.uid))
