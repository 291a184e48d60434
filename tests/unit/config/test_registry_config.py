"""Reading `config.yml` and the variables that stand for its paths."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from atomic_registry.config.load import ConfigInvalid, Loaded, load
from atomic_registry.config.original import VARIABLES, read_original
from atomic_registry.config.registry_keys import KEYS

# What the original's image carries, with the example of its manual in the middleware.
ORIGINAL = """\
version: 0.1
log:
  level: debug
http:
  addr: :5000
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /registry
  delete:
    enabled: true
auth:
  openshift:
    realm: openshift
middleware:
  registry:
    - name: openshift
  repository:
    - name: openshift
      options:
        acceptschema2: true
        pullthrough: true
        mirrorpullthrough: true
        enforcequota: false
        projectcachettl: 1m
        blobrepositorycachettl: 10m
  storage:
    - name: openshift
"""
# What the original's installer leaves in the file of the registry's variables.
SYSCONFIG = {
    "REGISTRY_HTTP_NET": "tcp",
    "KUBERNETES_PORT_8443_TCP_PROTO": "tcp",
    "REGISTRY_MIDDLEWARE_REPOSITORY_OPENSHIFT_ENFORCEQUOTA": "false",
    "REGISTRY_HTTP_SECRET": "Zm9v+/==",
    "DOCKER_REGISTRY_SERVICE_HOST": "registry.example.test",
    "DOCKER_REGISTRY_SERVICE_PORT": "5000",
    "REGISTRY_HTTP_ADDR": ":5000",
    "REGISTRYPORT": "5000",
    "REGISTRYIMAGE": "openshift/origin-docker-registry",
    "REGISTRYTAG": "latest",
    "KUBERNETES_SERVICE_HOST": "registry.example.test",
    "KUBERNETES_SERVICE_PORT": "8443",
}
_START = "version: 0.1\n"


def _load(tmp_path: Path, text: str | None = None, **environment: str) -> Loaded:
    return _load_with(tmp_path, text, environment)


def _load_with(tmp_path: Path, text: str | None, environment: Mapping[str, str]) -> Loaded:
    path = None
    if text is not None:
        path = tmp_path / "config.yml"
        path.write_text(text)
    flags = {"root": tmp_path / "root"}
    return load(flags, environment, [], foreign=read_original(environment, path))


def _mistakes(tmp_path: Path, text: str | None = None, **environment: str) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        _load_with(tmp_path, text, environment)
    return str(caught.value)


def test_the_file_of_the_original_is_taken_as_it_is(tmp_path: Path) -> None:
    loaded = _load(tmp_path, ORIGINAL)
    settings = loaded.settings
    assert settings.http.listen == "0.0.0.0:5000"
    assert settings.log.level == "debug"
    assert settings.storage.directory == Path("/registry")
    assert settings.storage.deletes
    assert not settings.limits.quotas
    assert loaded.origins["log.level"] == str(tmp_path / "config.yml")
    assert loaded.ignored == (
        "storage.cache",
        "middleware.registry.openshift",
        "middleware.storage.openshift",
        "middleware.repository.openshift.acceptschema2",
        "middleware.repository.openshift.pullthrough",
        "middleware.repository.openshift.mirrorpullthrough",
        "middleware.repository.openshift.projectcachettl",
        "middleware.repository.openshift.blobrepositorycachettl",
    )


def test_the_variables_of_the_original_are_taken_as_they_are(tmp_path: Path) -> None:
    loaded = _load(tmp_path, **SYSCONFIG)
    assert loaded.settings.http.listen == "0.0.0.0:5000"
    assert loaded.settings.http.public_host == "registry.example.test:5000"
    assert not loaded.settings.limits.quotas
    assert set(loaded.ignored) == {
        "REGISTRY_HTTP_SECRET",
        "REGISTRYIMAGE",
        "REGISTRYTAG",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
    }
    assert loaded.origins["http.listen"] == "environment REGISTRY_HTTP_ADDR"


FILE_ROWS = [
    ("loglevel: warn", "log.level", "warning"),
    ("log: {level: fatal}", "log.level", "error"),
    ("log: {formatter: text}", "log.format", "text"),
    ("log: {formatter: logstash}", "log.format", "logstash"),
    ("log: {fields: {site: north}}", "log.fields", '{"site": "north"}'),
    ("log: {accesslog: {disabled: true}}", "log.access", False),
    ('http: {addr: "127.0.0.1:5001"}', "http.listen", "127.0.0.1:5001"),
    ('http: {host: "https://r.test:5000"}', "http.token_url", "https://r.test:5000"),
    ('http: {host: "https://r.test:5000"}', "http.public_host", "r.test:5000"),
    ("http: {draintimeout: 1m30s}", "http.drain_seconds", 90),
    ("http: {headers: {X-A: [b, c]}}", "http.headers", '{"X-A": ["b", "c"]}'),
    ("http: {tls: {minversion: VersionTLS13}}", "http.tls.minimum", "1.3"),
    ("http: {tls: {minimumtls: tls1.0}}", "http.tls.minimum", "1.2"),
    (
        "http: {tls: {ciphersuites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305]}}",
        "http.tls.ciphers",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ),
    ("http: {tls: {clientcas: [/a, /b]}}", "http.tls.client_authorities", "/a,/b"),
    ("storage: {filesystem: {rootdirectory: /srv}}", "storage.directory", Path("/srv")),
    ("storage: {delete: {enabled: false}}", "storage.deletes", False),
    ("storage: {maintenance: {uploadpurging: {enabled: false}}}", "uploads.expires", False),
    ("storage: {maintenance: {uploadpurging: {dryrun: true}}}", "uploads.expires", False),
    (
        "storage: {maintenance: {uploadpurging: {dryrun: true, enabled: true}}}",
        "uploads.expires",
        False,
    ),
    ("storage: {maintenance: {uploadpurging: {age: 168h}}}", "uploads.expire_hours", 168),
    ("storage: {maintenance: {uploadpurging: {age: 90m}}}", "uploads.expire_hours", 2),
    ("storage: {maintenance: {uploadpurging: {interval: 24h}}}", "uploads.interval_seconds", 86400),
    ("storage: {maintenance: {readonly: {enabled: true}}}", "storage.read_only", True),
    ('auth: {openshift: {tokenrealm: "https://t:1"}}', "http.token_url", "https://t:1"),
    (
        'middleware: {repository: [{name: openshift, options: {dockerregistryurl: "r:5000"}}]}',
        "http.public_host",
        "r:5000",
    ),
    ('openshift: {server: {addr: "r.test:5000"}}', "http.public_host", "r.test:5000"),
    ('openshift: {auth: {tokenrealm: "https://t:1/"}}', "http.token_url", "https://t:1"),
    ("openshift: {quota: {enabled: false}}", "limits.quotas", False),
    ("openshift: {requests: {read: {maxrunning: 7}}}", "limits.reads_running", 7),
    ("openshift: {requests: {read: {maxinqueue: 8}}}", "limits.reads_waiting", 8),
    ("openshift: {requests: {write: {maxwaitinqueue: 9s}}}", "limits.writes_wait_seconds", 9),
    ("openshift: {requests: {write: {maxwaitinqueue: 0}}}", "limits.writes_wait_seconds", 86400),
    ("catalog: {maxentries: 50}", "limits.page_size", 50),
]


@pytest.mark.parametrize(("text", "option", "value"), FILE_ROWS)
def test_a_key_of_the_file_sets_an_option(
    tmp_path: Path, text: str, option: str, value: object
) -> None:
    loaded = _load(tmp_path, _START + text)
    assert loaded.values[option] == value
    assert loaded.origins[option] == str(tmp_path / "config.yml")


VARIABLE_ROWS = [
    ("REGISTRY_LOG_LEVEL", "warn", "log.level", "warning"),
    ("REGISTRY_LOG_FIELDS_SITE", "north", "log.fields", '{"site": "north"}'),
    ("REGISTRY_HTTP_HEADERS", '{"X-A": ["b"]}', "http.headers", '{"X-A": ["b"]}'),
    ("REGISTRY_HTTP_TLS_MINVERSION", "VersionTLS13", "http.tls.minimum", "1.3"),
    (
        "REGISTRY_HTTP_TLS_CIPHERSUITES",
        "[TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]",
        "http.tls.ciphers",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ),
    ("REGISTRY_HTTP_TLS_CLIENTCAS_0", "/a", "http.tls.client_authorities", "/a"),
    ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/1", "storage.directory", Path("/1")),
    ("REGISTRY_STORAGE_DELETE_ENABLED", "false", "storage.deletes", False),
    ("REGISTRY_STORAGE_MAINTENANCE_READONLY", '{"enabled":true}', "storage.read_only", True),
    ("REGISTRY_MIDDLEWARE_REPOSITORY_OPENSHIFT_ENFORCEQUOTA", "false", "limits.quotas", False),
    ("REGISTRY_OPENSHIFT_SERVER_ADDR", "r:1", "http.public_host", "r:1"),
    ("REGISTRY_OPENSHIFT_QUOTA_ENABLED", "false", "limits.quotas", False),
    ("REGISTRY_OPENSHIFT_REQUESTS_WRITE_MAXRUNNING", "3", "limits.writes_running", 3),
    ("REGISTRY_HOST", "r.test:5000", "http.public_host", "r.test:5000"),
    ("DOCKER_REGISTRY_URL", "r.test:5000", "http.public_host", "r.test:5000"),
    ("OPENSHIFT_DEFAULT_REGISTRY", "r.test:5000", "http.public_host", "r.test:5000"),
    ("MASTERPORT", "9443", "master.listen", "0.0.0.0:9443"),
    ("REGISTRYPORT", "6000", "http.listen", "0.0.0.0:6000"),
    ("CONSOLEPORT", "9091", "console.listen", "0.0.0.0:9091"),
    ("G_MESSAGES_DEBUG", "cockpit-ws,cockpit-bridge", "log.level", "debug"),
    ("G_MESSAGES_DEBUG", "all", "log.level", "info"),
    ("CONFIG_FILE", "/m/master-config.yaml", "master.config_file", Path("/m/master-config.yaml")),
    ("CONFIG_FILE", "/home/me/game.ini", "master.config_file", None),
]


@pytest.mark.parametrize(("name", "text", "option", "value"), VARIABLE_ROWS)
def test_a_variable_sets_an_option(
    tmp_path: Path, name: str, text: str, option: str, value: object
) -> None:
    loaded = _load_with(tmp_path, None, {name: text})
    assert loaded.values[option] == value
    assert loaded.origins[option] in {f"environment {name}", "default"}


def test_a_variable_goes_before_the_file_and_our_own_before_both(tmp_path: Path) -> None:
    text = _START + "log: {level: error}\nhttp: {draintimeout: 5s, addr: ':1'}"
    loaded = _load(
        tmp_path,
        text,
        REGISTRY_LOG_LEVEL="warn",
        REGISTRY_HTTP_ADDR=":2",
        ATOMIC_REGISTRY_HTTP_LISTEN="127.0.0.1:3",
    )
    http = loaded.settings.http
    assert (loaded.settings.log.level, http.drain_seconds, http.listen) == (
        "warning",
        5,
        "127.0.0.1:3",
    )
    assert loaded.origins["log.level"] == "environment REGISTRY_LOG_LEVEL"


def test_the_addresses_of_the_service_stand_in_only_where_nothing_names_one(tmp_path: Path) -> None:
    service = {"DOCKER_REGISTRY_SERVICE_HOST": "::1", "DOCKER_REGISTRY_SERVICE_PORT": "5000"}
    assert _load_with(tmp_path, None, service).settings.http.public_host == "[::1]:5000"
    named = _load_with(tmp_path, _START + "openshift: {server: {addr: 'r:1'}}", service)
    assert named.settings.http.public_host == "r:1"


def test_the_file_is_found_by_its_variable(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(_START + "log: {level: warn}")
    loaded = _load_with(tmp_path, None, {"REGISTRY_CONFIGURATION_PATH": str(path)})
    assert loaded.settings.log.level == "warning"


@pytest.mark.parametrize(
    "name", ["s3", "gcs", "azure", "swift", "oss", "inmemory", "s3aws", "s3goamz", "rados"]
)
@pytest.mark.parametrize("text", ["storage: {%s: {bucket: b}}", "storage: %s", "storage: {%s: }"])
def test_a_storage_that_is_not_supported_is_refused_however_it_is_named(
    tmp_path: Path, name: str, text: str
) -> None:
    said = _mistakes(tmp_path, _START + text % name)
    assert f"config.yml: storage.{name}: this version does not support it" in said
    said = _mistakes(tmp_path, None, **{f"REGISTRY_STORAGE_{name.upper()}_BUCKET": "b"})
    assert "this version does not support it" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("notifications: {endpoints: [{name: a, url: 'https://a'}]}", "notifications.endpoints"),
        ("proxy: {remoteurl: 'https://a'}", "proxy: the registry cannot stand for another"),
        ("auth: {htpasswd: {realm: a, path: /a}}", "identityProviders of master-config.yaml"),
        ("auth: {silly: {realm: a}}", "auth.silly"),
        ("auth: none", "auth.none"),
        ("http: {tls: {letsencrypt: {email: a}}}", "set http.tls.certificate"),
        ("http: {net: unix}", "'unix' is not tcp"),
        ("http: {prefix: /a/}", "paths begin with /v2/"),
        ("http: {addres: ':5000'}", "http.addres: there is no such key (did you mean http.addr?)"),
        ("storag: {}", "storag: there is no such key (did you mean storage?)"),
        ("log: 7", "log: it must be a mapping"),
        ("log: {level: loud}", "'loud' is not one of"),
        ("http: {tls: {ciphersuites: [TLS_RSA_WITH_RC4_128_SHA]}}", "not safe"),
        ("http: {headers: {X-A: [7]}}", "a header's value is text"),
        ('http: {headers: {X-A: ["a\\r\\nb"]}}', "a header's value is text"),
        ("http: {headers: {'X A': [b]}}", "no name of a header"),
        ("http: {headers: [a]}", "is not a mapping"),
        ("storage: {maintenance: {uploadpurging: {age: soon}}}", "is not a duration"),
        ("storage: {delete: {enabled: 'yes'}}", "'yes' is not true or false"),
        ("middleware: {storage: [{name: cloudfront}]}", "middleware cloudfront is not supported"),
        ("middleware: {storage: [7]}", "must be a mapping with a name"),
        ("openshift: {auth: {tokenrealm: 'https://a/b'}}", "does not read https://HOST:PORT"),
        ("openshift: {version: 2.0}", "2.0 is not 1.0"),
        ("validation: {manifests: {urls: {deny: [a]}}}", "cannot be narrowed"),
    ],
)
def test_what_cannot_be_honoured_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in _mistakes(tmp_path, _START + text)


@pytest.mark.parametrize(
    "text",
    [
        "notifications: {endpoints: []}",
        "notifications: {endpoints: [{name: a, disabled: true}]}",
        "notifications: {endpoints: }",
        "proxy: {}",
        "validation: ",
        "http: {tls: {letsencrypt: {}}}",
        "middleware: {storage: [{name: cloudfront, disabled: true}]}",
    ],
)
def test_what_asks_for_nothing_is_no_mistake(tmp_path: Path, text: str) -> None:
    _load(tmp_path, _START + text)


def test_a_file_of_no_or_another_version_is_refused(tmp_path: Path) -> None:
    assert "version: it is required" in _mistakes(tmp_path, "log: {level: info}")
    assert "version: 0.2 is not 0.1" in _mistakes(tmp_path, "version: 0.2")
    assert "No such file" in _mistakes(tmp_path, None, REGISTRY_CONFIGURATION_PATH="/nowhere")


def test_all_mistakes_of_all_sources_are_told_together(tmp_path: Path) -> None:
    said = _mistakes(
        tmp_path,
        _START + "log: {level: loud}\nhttp: {adr: 1}",
        REGISTRY_STORAGE_S3_BUCKET="b",
        REGISTRY_HTP_ADDR=":5000",
        ATOMIC_REGISTRY_LOG_LEVEL="quiet",
        MASTERPORT="many",
    )
    for part in ("log.level", "http.adr", "S3_BUCKET", "REGISTRY_HTP_ADDR", "LOG_LEVEL"):
        assert part in said


def test_a_variable_that_is_close_to_a_key_is_refused_with_the_key(tmp_path: Path) -> None:
    said = _mistakes(tmp_path, None, REGISTRY_HTTP_ADRESS=":5000")
    assert "environment: REGISTRY_HTTP_ADRESS: there is no such key" in said
    assert "did you mean http.addr?" in said


def test_variables_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    others = {
        "REGISTRY_AUTH_FILE": "/run/user/1000/auth.json",
        "REGISTRY_SERVICE_HOST": "10.0.0.1",
        "REGISTRY_PORT_5000_TCP": "tcp://10.0.0.1:5000",
    }
    assert _load_with(tmp_path, None, others).ignored == ()
    assert _load_with(tmp_path, None, {"REGISTRY_USER": "ci"}).ignored == ("REGISTRY_USER",)


def test_a_key_that_only_root_reads_is_taken_from_the_copy_of_systemd(tmp_path: Path) -> None:
    environment = {
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "REGISTRY_HTTP_TLS_CERTIFICATE": "/etc/atomic-registry/registry/registry.crt",
        "REGISTRY_HTTP_TLS_KEY": "/etc/atomic-registry/registry/registry.key",
    }
    for name in ("registry.crt", "registry.key"):
        (tmp_path / name).write_text("")
    tls = _load_with(tmp_path, None, environment).settings.http.tls
    assert (tls.certificate, tls.key) == (tmp_path / "registry.crt", tmp_path / "registry.key")
    environment["REGISTRY_HTTP_TLS_KEY"] = "/etc/other/registry.key"
    other = _load_with(tmp_path, None, environment).settings.http.tls
    assert other.key == Path("/etc/other/registry.key")


def test_every_key_and_variable_says_what_it_does() -> None:
    assert all(key.effect for key in KEYS.values())
    assert all(variable.effect for variable in VARIABLES)
    assert not [key.path for key in KEYS.values() if key.sets and (key.refused or key.ignored)]
