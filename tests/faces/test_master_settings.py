"""What `master-config.yaml` and the registry's settings switch at the master, seen from outside."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from atomic_registry.config.client_rules import (
    AuditConfig,
    DeniedClient,
    PolicyConfig,
    RequiredClient,
    UserAgentMatching,
)
from atomic_registry.config.master_config import ImagePolicyConfig, MasterConfig
from atomic_registry.config.serving_info import ServingInfo
from atomic_registry.config.settings import StorageSettings
from atomic_registry.faces.api.time_limits import TimeLimit
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.web.messages import Query, Request, Response
from tests.faces.api_world import MasterWorld, make_master_world
from tests.kit.bodies import BytesBody

CHIEF = "everywhere-cluster-admin"
STREAMS = "/apis/image.openshift.io/v1/namespaces/own/imagestreams"
STREAM = {"kind": "ImageStream", "metadata": {"name": "made"}}


@asynccontextmanager
async def _world(
    root: Path, config: MasterConfig | None = None, storage: StorageSettings | None = None
) -> AsyncIterator[MasterWorld]:
    world = await make_master_world(root, config, storage)
    try:
        yield world
    finally:
        await world.close()


def _text(response: Response) -> str:
    assert isinstance(response.body, bytes)
    return response.body.decode()


async def test_the_audit_file_says_who_changed_what_and_who_was_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    audit = AuditConfig(enabled=True, audit_file_path=path)
    async with _world(tmp_path, MasterConfig(audit_config=audit)) as world:
        await world.call(CHIEF, "GET", STREAMS)
        await world.call(CHIEF, "POST", STREAMS, STREAM)
        await world.call(ANONYMOUS.name, "GET", STREAMS)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(it["actor"], it["method"], it["status"]) for it in lines] == [
        (CHIEF, "POST", 201),
        (ANONYMOUS.name, "GET", 401),
    ]
    assert {it["path"] for it in lines} == {STREAMS}


async def test_audit_needs_to_be_enabled(tmp_path: Path) -> None:
    audit = AuditConfig(audit_file_path=tmp_path / "audit.log")
    async with _world(tmp_path, MasterConfig(audit_config=audit)) as world:
        await world.call(CHIEF, "POST", STREAMS, STREAM)
    assert not (tmp_path / "audit.log").exists()


async def test_programs_that_are_denied_or_not_required_are_told_so(tmp_path: Path) -> None:
    rules = UserAgentMatching(
        required_clients=(RequiredClient(regex="^oc/", http_verbs=("GET",)),),
        denied_clients=(DeniedClient(regex="^$", rejection_message="say who you are"),),
        default_rejection_message="use oc",
    )
    config = MasterConfig(policy_config=PolicyConfig(user_agent_matching_config=rules))
    async with _world(tmp_path, config) as world:
        read = await world.call(CHIEF, "GET", STREAMS)
        assert read.status == 403 and "use oc" in _text(read)
        written = await world.call(CHIEF, "POST", STREAMS, STREAM)
        assert written.status == 403 and "say who you are" in _text(written)
        # Probes of the machine say nothing of themselves.
        assert (await world.call(ANONYMOUS.name, "GET", "/healthz")).status == 200


async def test_references_of_images_have_the_name_that_the_file_gives(tmp_path: Path) -> None:
    names = ImagePolicyConfig(
        internal_registry_hostname="inner:5000", external_registry_hostname="images.test"
    )
    async with _world(tmp_path, MasterConfig(image_policy_config=names)) as world:
        made = await world.call(CHIEF, "POST", STREAMS, STREAM)
        assert "images.test/own/made" in _text(made)


@pytest.mark.parametrize("is_read_only", [True, False])
async def test_images_are_not_deleted_through_the_api_where_that_is_off(
    tmp_path: Path, *, is_read_only: bool
) -> None:
    off = StorageSettings(read_only=is_read_only, deletes=is_read_only)
    async with _world(tmp_path, storage=off) as world:
        made = await world.call(CHIEF, "POST", STREAMS, STREAM)
        assert made.status == (405 if is_read_only else 201)
        tags = STREAMS.replace("imagestreams", "imagestreamtags")
        for path in (
            f"{STREAMS}/made",
            STREAMS,
            f"{tags}/made:v1",
            f"/oapi/v1{STREAMS.partition('/v1')[2]}/made",
            "/api/v1/namespaces/own",
            "/apis/project.openshift.io/v1/projects/own",
        ):
            answer = await world.call(CHIEF, "DELETE", path)
            assert (path, answer.status) == (path, 405)
            assert "switched deletions off" in _text(answer)
        assert (await world.call(CHIEF, "GET", "/api/v1/namespaces/own")).status == 200
        # What is no image goes on.
        secret = await world.call(CHIEF, "DELETE", "/api/v1/namespaces/own/secrets/existing")
        assert secret.status == 200


async def test_deletions_are_refused_with_405_only_to_those_who_had_the_right(
    tmp_path: Path,
) -> None:
    async with _world(tmp_path, storage=StorageSettings(deletes=False)) as world:
        answer = await world.call("everywhere-view", "DELETE", f"{STREAMS}/made")
        assert answer.status == 403


async def test_more_requests_at_once_than_the_file_allows_get_429(tmp_path: Path) -> None:
    config = MasterConfig(serving_info=ServingInfo(max_requests_in_flight=1))
    async with _world(tmp_path, config) as world:
        calls = [world.call(CHIEF, "GET", STREAMS) for _ in range(3)]
        answers = await asyncio.gather(*calls)
        assert sorted(it.status for it in answers) == [200, 429, 429]
        assert (await world.call(CHIEF, "GET", STREAMS)).status == 200


@pytest.mark.parametrize(("seconds", "expected"), [(5, (5, 3)), (-1, (None, 3))])
def test_a_request_may_take_what_it_asks_for_up_to_the_limit_of_the_file(
    seconds: int, expected: tuple[float | None, float]
) -> None:
    limit = TimeLimit(seconds=seconds, prefixes=("/api",))
    queries = (Query([]), Query([("timeout", "3s")]))
    assert tuple(limit.of(_request(query)) for query in queries) == expected


def _request(query: Query) -> Request:
    return Request(
        method="GET",
        path="/api",
        query=query,
        headers={},
        body=BytesBody(b""),
        id="request-1",
        remote="192.0.2.1",
    )
