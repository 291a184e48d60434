"""Secrets and limits: what is refused, and what quantities stand for."""

import base64

import pytest

from atomic_registry.identity.records import (
    LimitRange,
    LimitRangeItem,
    LimitRangeSpec,
    ResourceQuota,
    ResourceQuotaSpec,
    Secret,
)
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.resources.strategies_core import (
    DOCKER_CONFIG,
    LimitRangeStrategy,
    ResourceQuotaStrategy,
    SecretStrategy,
)

META = ObjectMeta(name="x", namespace="demo")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(**fields: object) -> list[str]:
    item = Secret(metadata=META, **fields)  # type: ignore[arg-type]  # fields of the class itself
    return [field for field, _ in SecretStrategy().causes(item, None)]


def test_plain_text_of_a_secret_becomes_base64_and_wins() -> None:
    document: dict[str, object] = {"data": {"a": "b2xk"}, "stringData": {"a": "new", "b": "é"}}

    read = SecretStrategy().read(document, "")

    assert {"type": "Opaque", "data": {"a": encoded("new"), "b": encoded("é")}} == read


def test_a_secret_has_good_keys_good_base64_and_a_known_type() -> None:
    assert [] == secret(type="Opaque", data={"a.b-c_D": encoded("x")})
    assert ["data[a]"] == secret(type="Opaque", data={"a": "not base64"})
    assert ["data[a b]"] == secret(type="Opaque", data={"a b": encoded("x")})
    assert ["data[..]"] == secret(type="Opaque", data={"..": encoded("x")})
    assert ["type"] == secret(type="kubernetes.io/service-account-token")
    assert ["data"] == secret(type="Opaque", data={"a": "A" * 1_400_004})


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ('{"auths": {"host": {"auth": "eDp5"}}}', True),
        ('{"auths": []}', False),
        ("[]", False),
        ("nothing", False),
        ("[" * 100_000, False),
    ],
)
def test_a_pull_secret_is_a_docker_configuration(text: str, is_good: bool) -> None:
    causes = secret(type=DOCKER_CONFIG, data={".dockerconfigjson": encoded(text)})

    assert ([] if is_good else ["data[.dockerconfigjson]"]) == causes
    assert ["data[.dockerconfigjson]"] == secret(type=DOCKER_CONFIG)


def test_an_immutable_secret_stays_as_it_is() -> None:
    old = Secret(metadata=META, type="Opaque", data={"a": encoded("x")}, immutable=True)
    changed = Secret(metadata=META, type="Opaque", data={"a": encoded("y")}, immutable=True)
    opened = Secret(metadata=META, type="Opaque", data={"a": encoded("x")})
    retyped = Secret(metadata=META, type=DOCKER_CONFIG, data=old.data)

    check = SecretStrategy().causes
    assert [["data"], ["data"], []] == [
        [field for field, _ in check(it, old)] for it in (changed, opened, old)
    ]
    assert "type" in [field for field, _ in check(retyped, Secret(metadata=META, type="Opaque"))]


def test_limits_name_what_there_is_to_limit() -> None:
    def causes(*items: LimitRangeItem) -> list[str]:
        item = LimitRange(metadata=META, spec=LimitRangeSpec(limits=list(items)))
        return [field for field, _ in LimitRangeStrategy().causes(item, None)]

    image = LimitRangeItem(type="openshift.io/Image", max={"storage": "1Gi"})
    stream = LimitRangeItem(type="openshift.io/ImageStream", max={"openshift.io/images": 5})

    assert [] == causes(image, stream)
    assert ["spec.limits[1].type"] == causes(image, image)
    assert ["spec.limits[0].type"] == causes(LimitRangeItem(type="Pod"))
    assert ["spec.limits[0].max[cpu]"] == causes(
        LimitRangeItem(type="openshift.io/Image", max={"cpu": "1"})
    )
    assert ["spec.limits[0].min"] == causes(
        LimitRangeItem(type="openshift.io/Image", min={"storage": "1"})
    )


@pytest.mark.parametrize("amount", ["lots", "-1", "1.5", "100m", ""])
def test_a_limit_is_a_whole_number_of_things(amount: str) -> None:
    limit = LimitRangeItem(type="openshift.io/Image", max={"storage": amount})
    item = LimitRange(metadata=META, spec=LimitRangeSpec(limits=[limit]))

    causes = LimitRangeStrategy().causes(item, None)

    assert ["spec.limits[0].max[storage]"] == [field for field, _ in causes]


def test_quotas_name_what_there_is_to_limit() -> None:
    def causes(**hard: str) -> list[str]:
        renamed = {key.replace("__", "/").replace("_", "-"): it for key, it in hard.items()}
        item = ResourceQuota(metadata=META, spec=ResourceQuotaSpec(hard=dict(renamed)))
        return [field for field, _ in ResourceQuotaStrategy().causes(item, None)]

    assert [] == causes(atomic_registry__bytes="5Gi")
    assert ["spec.hard[pods]"] == causes(pods="1")
    assert ["spec.hard[atomic-registry/bytes]"] == causes(atomic_registry__bytes="-5")
