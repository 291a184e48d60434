"""Kinds of the core group: namespaces, secrets, and the limits of projects.

Sources: Kubernetes `v1` Secret, LimitRange and ResourceQuota; the resource names are OpenShift
Origin's, section "Limit Ranges" and "Quotas" of its image documentation.
"""

import base64
import binascii
import re

import msgspec

from atomic_registry.content.quota import LIMITED, QUOTAS
from atomic_registry.identity.records import LimitRange, ResourceQuota, Secret
from atomic_registry.kube.objects import KubeObject
from atomic_registry.kube.quantity import parse_quantity
from atomic_registry.resources.names import dns_subdomain_fault
from atomic_registry.resources.strategies import (
    Cause,
    Document,
    ProjectStrategy,
    Strategy,
    text_causes,
)

OPAQUE = "Opaque"
DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"
_DOCKER_KEY = ".dockerconfigjson"
_SECRET_TYPES = (OPAQUE, DOCKER_CONFIG)
_MAX_SECRET_BYTES = 1024 * 1024
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}\Z")


class NamespaceStrategy(ProjectStrategy):
    """A project as Kubernetes knows it: here also its labels and annotations may change."""

    def show(self, document: Document, group: str) -> Document:
        spec = {"finalizers": ["kubernetes"]}
        return document | {"spec": spec, "status": {"phase": "Active"}}

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        return text_causes(item.metadata.annotations)


class SecretStrategy(Strategy):
    """Values are base64; `stringData` is the plain way to write them and is never shown."""

    def name_fault(self, name: str) -> str | None:
        return dns_subdomain_fault(name)

    def read(self, document: Document, group: str) -> Document:
        plain, data = document.pop("stringData", None), document.get("data", {})
        if isinstance(plain, dict) and isinstance(data, dict):
            # Anything but text is left for the check of types, which names the field.
            written = {
                key: base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
                if isinstance(value, str)
                else value
                for key, value in plain.items()
            }
            document["data"] = data | written
        document["type"] = document.get("type") or OPAQUE
        return document

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        if not isinstance(item, Secret):
            return []
        causes = [
            (f"data[{key}]", fault)
            for key, value in item.data.items()
            if (fault := _data_fault(key, value))
        ]
        if sum(map(len, item.data.values())) > _MAX_SECRET_BYTES * 4 // 3 + 4:
            causes.append(("data", f"at most {_MAX_SECRET_BYTES} bytes in all"))
        if item.type not in _SECRET_TYPES:
            causes.append(("type", f"use {' or '.join(_SECRET_TYPES)}"))
        if item.type == DOCKER_CONFIG and not causes:
            causes += _docker_causes(item.data)
        if isinstance(old, Secret):
            causes += _change_causes(item, old)
        return causes


def _change_causes(item: Secret, old: Secret) -> list[Cause]:
    causes = []
    if item.type != old.type:
        causes.append(("type", "it cannot be changed; delete the secret and make another"))
    if old.immutable and (not item.immutable or item.data != old.data):
        causes.append(("data", "the secret is immutable; delete it and make another"))
    return causes


def _data_fault(key: str, value: str) -> str | None:
    if not _DATA_KEY.match(key) or key in {".", ".."}:
        return "a key has at most 253 letters, digits, '-', '_' or '.'"
    try:
        base64.b64decode(value.encode(), validate=True)
    except (binascii.Error, ValueError):
        return "it must be base64; write plain text below stringData"
    return None


def _docker_causes(data: dict[str, str]) -> list[Cause]:
    field = f"data[{_DOCKER_KEY}]"
    if _DOCKER_KEY not in data:
        return [(field, f"it is required for secrets of type {DOCKER_CONFIG}")]
    try:
        document = msgspec.json.decode(base64.b64decode(data[_DOCKER_KEY]))
    except (ValueError, RecursionError):
        # Its message would quote the secret.
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("auths"), dict):
        return [(field, 'it must be JSON of the form {"auths": {"<host>": {"auth": ...}}}')]
    return []


class LimitRangeStrategy(Strategy):
    """Limits of images and of image streams."""

    def name_fault(self, name: str) -> str | None:
        return dns_subdomain_fault(name)

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        if not isinstance(item, LimitRange):
            return []
        causes: list[Cause] = []
        seen = set()
        for at, entry in enumerate(item.spec.limits):
            field = f"spec.limits[{at}]"
            allowed = LIMITED.get(entry.type)
            if allowed is None:
                causes.append((f"{field}.type", f"use {' or '.join(LIMITED)}"))
                continue
            if entry.type in seen:
                causes.append((f"{field}.type", "it stands there twice"))
            seen.add(entry.type)
            causes += _quantity_causes(f"{field}.max", entry.max, allowed)
            if entry.min:
                causes.append((f"{field}.min", "nothing here has a least amount; use max"))
        return causes


class ResourceQuotaStrategy(Strategy):
    """Limits of a whole project."""

    def name_fault(self, name: str) -> str | None:
        return dns_subdomain_fault(name)

    def show(self, document: Document, group: str) -> Document:
        spec = document.get("spec")
        hard = spec.get("hard", {}) if isinstance(spec, dict) else {}
        return document | {"status": {"hard": hard}}

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        if not isinstance(item, ResourceQuota):
            return []
        return _quantity_causes("spec.hard", item.spec.hard, QUOTAS)


def _quantity_causes(
    field: str, values: dict[str, str | int], allowed: frozenset[str]
) -> list[Cause]:
    causes = []
    for key, value in values.items():
        if key not in allowed:
            causes.append((f"{field}[{key}]", f"use {' or '.join(sorted(allowed))}"))
        elif fault := _quantity_fault(value):
            causes.append((f"{field}[{key}]", fault))
    return causes


def _quantity_fault(value: str | int) -> str | None:
    number = parse_quantity(value)
    if number is None:
        return "write a number such as 3, 500M or 10Gi"
    if number < 0:
        return "it must be 0 or more"
    return None if number.denominator == 1 else "it must be a whole number"
