"""The policy against a naive model: random people, groups, roles, bindings, and their removal."""

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.clock import SystemClock
from atomic_registry.identity.actors import ANONYMOUS, AUTHENTICATED, Actor
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.policy import Right, Verb
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.rbac import RbacPolicy
from atomic_registry.identity.records import (
    ClusterRole,
    ClusterRoleBinding,
    Group,
    PolicyRule,
    Project,
    Role,
    RoleBinding,
    RoleReference,
    Subject,
    User,
)
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.oci.reference import RepositoryName

PEOPLE = ("mary", "bob", "eve")
GROUPS = ("devs", "ops")
PROJECTS = ("one", "two")
VERBS = ("get", "update", "delete")
RESOURCES = ("imagestreams/layers", "secrets")
CLOCK = SystemClock()

verbs = st.lists(st.sampled_from((*VERBS, "*")), min_size=1, max_size=2, unique=True)
resources = st.lists(st.sampled_from((*RESOURCES, "*")), min_size=1, max_size=2, unique=True)
rules = st.builds(
    lambda v, r, names: PolicyRule(
        verbs=tuple(v),
        api_groups=("image.openshift.io", ""),
        resources=tuple(r),
        resource_names=tuple(names),
    ),
    verbs,
    resources,
    st.lists(st.sampled_from(("app", "base")), max_size=1),
)
subjects = st.one_of(
    st.sampled_from(PEOPLE).map(lambda name: Subject(kind="User", name=name)),
    st.sampled_from((*GROUPS, AUTHENTICATED, "system:unauthenticated")).map(
        lambda name: Subject(kind="Group", name=name)
    ),
)
worlds = st.fixed_dictionaries(
    {
        "roles": st.lists(rules, min_size=2, max_size=2),
        "local": st.lists(rules, min_size=2, max_size=2),
        "members": st.lists(st.sets(st.sampled_from(PEOPLE)), min_size=2, max_size=2),
        "disabled": st.sets(st.sampled_from(PEOPLE), max_size=1),
        "bindings": st.lists(
            st.tuples(
                st.sampled_from(("", *PROJECTS)),
                st.integers(0, 1),
                st.booleans(),
                st.lists(subjects, min_size=1, max_size=2),
            ),
            max_size=5,
        ),
    }
)


def objects_of(world: dict[str, Any]) -> list[KubeObject]:
    found: list[KubeObject] = [Project(metadata=ObjectMeta(name=name)) for name in PROJECTS]
    found += [
        User(metadata=ObjectMeta(name=name, uid=f"uid-{name}"), disabled=name in world["disabled"])
        for name in PEOPLE
    ]
    for name, members in zip(GROUPS, world["members"], strict=True):
        found.append(Group(metadata=ObjectMeta(name=name), users=sorted(members)))
    for number in (0, 1):
        found.append(
            ClusterRole(metadata=ObjectMeta(name=f"r{number}"), rules=[world["roles"][number]])
        )
        for project in PROJECTS:
            meta = ObjectMeta(name=f"r{number}", namespace=project)
            found.append(Role(metadata=meta, rules=[world["local"][number]]))
    for index, (namespace, number, is_local, bound) in enumerate(world["bindings"]):
        meta = ObjectMeta(name=f"b{index}", namespace=namespace)
        kind = "Role" if is_local and namespace else "ClusterRole"
        reference = RoleReference(kind=kind, name=f"r{number}")
        made = RoleBinding if namespace else ClusterRoleBinding
        found.append(made(metadata=meta, role_ref=reference, subjects=bound))
    return found


def model(world: dict[str, Any], actor: Actor, right: Right) -> bool:
    if actor.name in world["disabled"]:
        return False
    groups = set(actor.groups)
    for name, members in zip(GROUPS, world["members"], strict=True):
        if actor.name in members:
            groups.add(name)
    for namespace, number, is_local, bound in world["bindings"]:
        if namespace not in ("", right.namespace):
            continue
        if not any(
            (s.kind == "User" and s.name == actor.name) or (s.kind == "Group" and s.name in groups)
            for s in bound
        ):
            continue
        rule = world["local" if is_local and namespace else "roles"][number]
        if (
            ("*" in rule.verbs or right.verb in rule.verbs)
            and ("*" in rule.resources or right.resource in rule.resources)
            and (not rule.resource_names or right.name in rule.resource_names)
        ):
            return True
    return False


ACTORS = [
    ANONYMOUS,
    *(Actor(name=n, uid=f"uid-{n}", groups=frozenset({AUTHENTICATED})) for n in PEOPLE),
]
RIGHTS = [
    Right(verb=v, group="image.openshift.io", resource=r, namespace=p, name=n)
    for v in VERBS
    for r in RESOURCES
    for p in PROJECTS
    for n in ("app", "other")
]


def check_all(policy: RbacPolicy, world: dict[str, Any]) -> None:
    for actor in ACTORS:
        for right in RIGHTS:
            expected = model(world, actor, right)
            assert expected == policy.grants(actor, right), (actor, right)
            assert expected == policy.explain(actor, right).granted
        for project in PROJECTS:
            name = RepositoryName(f"{project}/app")
            pull = Right(
                verb="get",
                group="image.openshift.io",
                resource="imagestreams/layers",
                namespace=project,
                name="app",
            )
            expected = model(world, actor, pull)
            assert expected == policy.allowed(actor, Verb.PULL, name)
            narrow = replace(actor, repositories={f"{project}/app": frozenset({"push"})})
            assert not policy.allowed(narrow, Verb.PULL, name)
            stale = replace(actor, uid="another") if actor.uid else None
            assert stale is None or not policy.allowed(stale, Verb.PULL, name)


@settings(max_examples=60, deadline=None)
@given(worlds, worlds)
def test_every_decision_is_that_of_the_model_also_after_everything_has_changed(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    async def run() -> None:
        store = MemoryIdentityStore()
        directory = Directory(store)
        policy = RbacPolicy(directory)

        def put(tx: Transaction) -> None:
            for item in objects_of(before):
                tx.objects.add(item, actor="test", now=CLOCK.now())

        def change(tx: Transaction) -> None:
            wanted = {
                (type(o), o.metadata.namespace, o.metadata.name): o for o in objects_of(after)
            }
            for item in objects_of(before):
                key = (type(item), item.metadata.namespace, item.metadata.name)
                if key not in wanted:
                    tx.objects.remove(item, actor="test", now=CLOCK.now())
            for (kind, namespace, name), item in wanted.items():
                found = tx.objects.find(kind, name, namespace=namespace)
                if found is None:
                    tx.objects.add(item, actor="test", now=CLOCK.now())
                else:
                    item.metadata.uid = found.metadata.uid
                    tx.objects.update(item, actor="test", now=CLOCK.now())

        await store.write(put)
        assert await directory.refresh()
        check_all(policy, before)
        await store.write(change)
        assert await directory.refresh()
        assert not await directory.refresh()
        check_all(policy, after)
        fresh = Directory(store)
        await fresh.refresh()
        check_all(RbacPolicy(fresh), after)

    asyncio.run(run())
