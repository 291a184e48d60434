"""The served description of the API, made strict, and schemathesis, which holds answers to it."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.kit.access import RBAC, Site, basic, bearer
from tests.kit.images import image
from tests.kit.registry import clean_environment

GVK = "x-kubernetes-group-version-kind"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
SCHEMAS = "#/components/schemas/"
NAMES = ("one", "two")
PROJECT = "fuzz"
# Without these nobody may anything, or can log in, any more; importing is answered 501 on purpose.
_LEFT_OUT: Mapping[str, Sequence[str]] = {
    "clusterroles": ("delete",),
    "oauthclients": ("delete",),
    "clusterrolebindings": ("delete",),
    "imagestreamimports": ("post",),
}
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
# A stream of events would go on for half an hour; the others have no effect.
_UNUSED = (
    "watch",
    "allowWatchBookmarks",
    "propagationPolicy",
    "gracePeriodSeconds",
    "continue",
    "fieldManager",
)
# Of the options of an operation that share, by turns.
_EVERY = 3
# Of each object's metadata, what clients write.
_WRITTEN = ("name", "namespace", "generateName", "labels", "annotations")
# Values that mean something, so that requests get past the reading of their options.
_QUERY: Mapping[str, Mapping[str, object]] = {
    "dryRun": {"enum": ["All"]},
    "limit": {"enum": [2]},
    "labelSelector": {"enum": ["a=b", "!c"]},
    "fieldSelector": {"enum": ["metadata.name=one", "metadata.name!=two"]},
    "resourceVersion": {"enum": ["", "0"]},
    "resourceVersionMatch": {"enum": ["NotOlderThan"]},
    "fieldValidation": {"enum": ["Strict"]},
    "timeoutSeconds": {"minimum": 1, "maximum": 2},
}


_WITHIN: Mapping[str, Mapping[str, object]] = {
    "/api/v1/namespaces/fuzz/secrets": {"stringData": {"a": "b"}},
    "/api/v1/namespaces/fuzz/serviceaccounts": {},
    "/api/v1/namespaces/fuzz/limitranges": {
        "spec": {"limits": [{"type": "openshift.io/Image", "max": {"storage": "1Gi"}}]}
    },
    "/api/v1/namespaces/fuzz/resourcequotas": {"spec": {"hard": {"openshift.io/imagestreams": 5}}},
    f"{RBAC}/namespaces/fuzz/roles": {"rules": []},
    f"{RBAC}/namespaces/fuzz/rolebindings": {"roleRef": {"kind": "ClusterRole", "name": "view"}},
    f"{RBAC}/clusterroles": {"rules": []},
    f"{RBAC}/clusterrolebindings": {"roleRef": {"kind": "ClusterRole", "name": "view"}},
    "/apis/user.openshift.io/v1/users": {},
    "/apis/user.openshift.io/v1/groups": {"users": ["one"]},
    "/apis/oauth.openshift.io/v1/oauthclients": {"redirectURIs": ["https://one.test/"]},
}


def seed(site: Site) -> None:
    """Make an object named `one` of each kind, in a project of mary's."""
    site.new_project("mary", PROJECT)
    for path, document in _WITHIN.items():
        site.call("POST", path, {"metadata": {"name": "one"}, **document})
    token = site.registry_token(basic("mary", "password"), f"repository:{PROJECT}/one:pull,push")
    made = image("fuzz", layers=1, size=10)
    for blob in made.blobs:
        path = f"/v2/{PROJECT}/one/blobs/uploads/?digest={blob.digest}"
        assert 201 == site.registry("POST", path, blob.data, bearer(token)).status
    headers = {**bearer(token), "Content-Type": made.manifest.media_type}
    path = f"/v2/{PROJECT}/one/manifests/latest"
    assert 201 == site.registry("PUT", path, made.manifest.data, headers).status


def described(site: Site) -> dict[str, Any]:
    """The documents of all groups as one."""
    whole: dict[str, Any] = {}
    for entry in site.call("GET", "/openapi/v3")["paths"].values():
        document = site.call("GET", entry["serverRelativeURL"])
        if not whole:
            whole = document
        whole["paths"] |= document["paths"]
        whole["components"]["schemas"] |= document["components"]["schemas"]
    return whole


def strict(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, by which answers have no field that is not described.

    What programs send is also less free by it: names that exist, options that mean something.
    Watches are left out.
    """
    made = copy.deepcopy(document)
    made["paths"] = {path: it for path, it in made["paths"].items() if "/watch/" not in path}
    for path, methods in made["paths"].items():
        for method in _LEFT_OUT.get(path.rpartition("/")[2], ()):
            methods.pop(method, None)
    operations = [(path, it) for path, methods in made["paths"].items() for it in methods.values()]
    for number, (path, operation) in enumerate(operations):
        for parameter in operation["parameters"]:
            _choose(path, parameter)
        operation["parameters"] = _sampled(operation["parameters"], number)
        if "requestBody" in operation:
            text = json.dumps(operation["requestBody"])
            operation["requestBody"] = json.loads(text.replace(SCHEMAS, f"{SCHEMAS}sent."))
    schemas = made["components"]["schemas"]
    for schema in schemas.values():
        for part in _objects(schema):
            part.setdefault("additionalProperties", False)
        _name_kind(schema)
    sent = json.loads(json.dumps(schemas).replace(SCHEMAS, f"{SCHEMAS}sent."))
    meta = sent[f"{META}.ObjectMeta"]
    fields = meta["properties"] = {name: meta["properties"][name] for name in _WRITTEN}
    for schema in sent.values():
        if GVK in schema:
            schema["required"] = sorted({*schema.get("required", ()), "apiVersion", "kind"})
    fields["name"]["enum"], fields["namespace"]["enum"] = list(NAMES), [PROJECT]
    made["components"]["schemas"] = schemas | {f"sent.{name}": it for name, it in sent.items()}
    return made


def _sampled(parameters: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """Some of the options of an operation: the operations of a verb have the same ones."""
    options = [it for it in parameters if not it.get("required") and it["name"] not in _UNUSED]
    kept = [it for index, it in enumerate(options) if (index + number) % _EVERY == 0]
    return [*(it for it in parameters if it.get("required")), *kept]


def _choose(path: str, parameter: dict[str, Any]) -> None:
    name, schema = parameter["name"], parameter["schema"]
    if name == "namespace":
        schema["enum"] = [PROJECT]
    elif name == "name":
        tags = [f"{each}:latest" for each in NAMES]
        schema["enum"] = tags if "/imagestreamtags/" in path else list(NAMES)
    schema |= _QUERY.get(name, {})


def _objects(schema: object) -> Iterator[dict[str, Any]]:
    if isinstance(schema, list):
        for each in schema:
            yield from _objects(each)
    elif isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema
        for each in schema.values():
            yield from _objects(each)


def _name_kind(schema: dict[str, Any]) -> None:
    fields = schema.get("properties", {})
    gvks = schema.get(GVK)
    if gvks:
        group = f"{gvks[0]['group']}/" if gvks[0]["group"] else ""
        fields["apiVersion"]["enum"] = [f"{group}{gvks[0]['version']}"]
        fields["kind"]["enum"] = [gvks[0]["kind"]]


def explore(
    site: Site, directory: Path, *words: str, phases: str, mode: str
) -> subprocess.CompletedProcess[str]:
    """Send many requests of all sorts and compare each answer with the description."""
    file = directory / "openapi.json"
    file.write_text(json.dumps(strict(described(site))))
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", file,
        "--url", f"https://{site.master_host}", "--tls-verify", site.ca,
        "--checks", ",".join(CHECKS), "--phases", phases, "--mode", mode, "--max-examples", "1", "--workers", "2",
        "--generation-deterministic",
        "--no-shrink", "--generation-with-security-parameters", "false", "--continue-on-failure", "--warnings", "off", "--no-color",
        "--request-timeout", "10", "--report", "json", "--report-dir", directory, *words,
    ]  # fmt: skip
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False,
        timeout=240, cwd=directory,
        env=clean_environment({"HOME": str(directory), "PATH": os.environ["PATH"]}),
    )  # fmt: skip
