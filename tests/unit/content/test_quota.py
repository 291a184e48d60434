"""The rules of limits, without any store."""

import pytest

from atomic_registry.content.quota import (
    BYTES,
    STORAGE,
    STREAMS,
    Allowance,
    ProjectLimits,
    limits_of,
)
from atomic_registry.errors import QuotaExceeded
from atomic_registry.identity.records import (
    LimitRange,
    LimitRangeItem,
    LimitRangeSpec,
    ResourceQuota,
    ResourceQuotaSpec,
)
from atomic_registry.kube.objects import ObjectMeta


def quota(name: str, **hard: str | int) -> ResourceQuota:
    names = {"streams": STREAMS, "size": BYTES}
    spec = ResourceQuotaSpec(hard={names[key]: value for key, value in hard.items()})
    return ResourceQuota(metadata=ObjectMeta(name=name, namespace="demo"), spec=spec)


def limited(*quotas: ResourceQuota) -> ProjectLimits:
    return limits_of("demo", quotas)


def test_the_last_one_that_fits_is_allowed_and_the_next_is_not() -> None:
    limits = limited(quota("q", streams="3"))

    limits.require(STREAMS, used=2, added=1)
    with pytest.raises(QuotaExceeded):
        limits.require(STREAMS, used=3, added=1)
    with pytest.raises(QuotaExceeded):
        limits.require(STREAMS, used=1, added=3)


def test_of_several_quotas_all_hold() -> None:
    limits = limited(quota("wide", streams=9), quota("tight", streams=1))

    with pytest.raises(QuotaExceeded, match="tight"):
        limits.require(STREAMS, used=1, added=1)


def test_what_is_there_already_may_stay_above_a_limit_that_was_lowered() -> None:
    limited(quota("q", streams=0)).require(STREAMS, used=5, added=0)


def test_what_nobody_limits_is_free() -> None:
    limits = limited(quota("q", streams=1))

    limits.require(BYTES, used=10**15, added=10**15)
    assert not limits.binds(BYTES, STORAGE)


def test_the_refusal_names_the_limit_the_use_and_what_to_do() -> None:
    with pytest.raises(QuotaExceeded) as refused:
        limited(quota("team", size="1Ki")).require(BYTES, used=1000, added=500)

    for part in (
        "exceeded quota: team",
        "requested: atomic-registry/bytes=500",
        "used: atomic-registry/bytes=1000",
        "limited: atomic-registry/bytes=1Ki",
        "project demo",
        "resourcequota team raised",
    ):
        assert part in refused.value.message


def test_a_blob_may_be_as_large_as_the_tightest_limit_leaves_room_for() -> None:
    entry = LimitRangeItem(type="openshift.io/Image", max={STORAGE: "700"})
    sizes = LimitRange(metadata=ObjectMeta(name="sizes"), spec=LimitRangeSpec(limits=[entry]))

    assert 500 == Allowance(limits=limits_of("demo", [quota("q", size="1k")]), used=500).most
    both = Allowance(limits=limits_of("demo", [quota("q", size="1k"), sizes]), used=100)
    assert 700 == both.most
    both.require(700)
    with pytest.raises(QuotaExceeded, match="exceeded limit: sizes"):
        both.require(701)
    assert 0 == Allowance(limits=limits_of("demo", [quota("q", size="1k")]), used=5000).most
