"""How long one decision about rights takes, on the bindings of a generated root."""

import asyncio
import time
from pathlib import Path

from atomic_registry.app import database_url
from atomic_registry.clock import SystemClock
from atomic_registry.config.settings import Settings
from atomic_registry.identity.actors import AUTHENTICATED, Actor
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.policy import Right, Verb
from atomic_registry.identity.rbac import RbacPolicy
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata import open_metadata
from bench.generate import Amounts, project_name, user_name

_ROUNDS = 11
_ASKED = 1000


def decision_seconds(root: Path, amounts: Amounts) -> dict[str, list[float]]:
    """Seconds for a decision that was made before, and for one that was not."""
    return asyncio.run(_measured(root, amounts))


async def _measured(root: Path, amounts: Amounts) -> dict[str, list[float]]:
    metadata = open_metadata(database_url(Settings(root=root)), SystemClock())
    try:
        directory = Directory(metadata)
        start = time.perf_counter()
        await directory.refresh()
        found = {"load": [time.perf_counter() - start], "cold": [], "warm": []}
        asked = _asked(directory, amounts)
        for _ in range(_ROUNDS):
            policy = RbacPolicy(directory)
            found["cold"].append(_pass(policy, asked))
            found["warm"].append(_pass(policy, asked))
    finally:
        await metadata.close()
    return found


def _asked(directory: Directory, amounts: Amounts) -> list[tuple[Actor, Right, RepositoryName]]:
    found = []
    for number in range(_ASKED):
        name, project = user_name(number % amounts.users), project_name(number % amounts.projects)
        uid = directory.users[name].uid
        actor = Actor(name=name, uid=uid, groups=frozenset({AUTHENTICATED}))
        group = "image.openshift.io"
        right = Right(verb="list", group=group, resource="imagestreams", namespace=project)
        found.append((actor, right, RepositoryName(f"{project}/app")))
    return found


def _pass(policy: RbacPolicy, asked: list[tuple[Actor, Right, RepositoryName]]) -> float:
    start = time.perf_counter()
    for actor, right, repository in asked:
        policy.grants(actor, right)
        policy.allowed(actor, Verb.PULL, repository)
    return (time.perf_counter() - start) / (2 * len(asked))
