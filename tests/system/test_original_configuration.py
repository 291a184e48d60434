"""A registry that is told all by the files and variables of the original."""

import contextlib
import http.client
import json
from pathlib import Path

from tests.kit.registry import Registry, free_port

CONFIG = """\
version: 0.1
log: {{level: info, formatter: json, fields: {{site: north}}}}
http:
  addr: 127.0.0.1:{port}
  headers: {{X-Site: [north]}}
storage:
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: {images}}}
  maintenance:
    readonly: {{enabled: false}}
auth: {{openshift: {{realm: openshift}}}}
notifications: {{endpoints: []}}
"""


class ByConfigYml(Registry):
    """Is started with nothing but the root of its own."""

    def command(self) -> list[str]:
        return [word for word in super().command() if word not in {"--registry-listen", self.host}]


def _ask(host: str, method: str, path: str) -> tuple[int, str | None]:
    with contextlib.closing(http.client.HTTPConnection(host, timeout=30)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers["X-Site"]


def test_a_registry_does_what_config_yml_and_its_variables_say(tmp_path: Path) -> None:
    port, images = free_port(), tmp_path / "images"
    config = tmp_path / "config.yml"
    config.write_text(CONFIG.format(port=free_port(), images=images))
    registry = ByConfigYml(
        tmp_path / "root",
        log=tmp_path / "log",
        workers=1,
        environment={
            "REGISTRY_CONFIGURATION_PATH": str(config),
            "REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}",
            "REGISTRY_STORAGE_MAINTENANCE_READONLY": '{"enabled":true}',
        },
    )
    registry.host = f"127.0.0.1:{port}"
    registry.start()
    try:
        assert _ask(registry.host, "GET", "/v2/") == (200, "north")
        assert _ask(registry.host, "POST", "/v2/demo/app/blobs/uploads/") == (405, "north")
    finally:
        registry.terminate()
    assert images.is_dir()
    lines = [json.loads(line) for line in registry.log.read_text().splitlines() if line[:1] == "{"]
    assert {line["site"] for line in lines} == {"north"}
    (noted,) = [line["keys"] for line in lines if "without effect" in line["event"]]
    assert noted == ["storage.cache"]
