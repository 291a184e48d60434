"""Merging of the sources, origins, and the report of mistakes."""

from pathlib import Path

import pytest

from atomic_registry.config.load import ConfigInvalid, Loaded, load
from atomic_registry.config.render import render_sample, render_show
from atomic_registry.config.settings import Settings, parse_listen, parse_networks


def _mistakes(
    flags: dict[str, object] | None = None,
    environment: dict[str, str] | None = None,
    files: list[Path] | None = None,
) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        load(flags or {}, environment or {}, files or [])
    return str(caught.value)


def _load_file(tmp_path: Path, text: str, **environment: str) -> Loaded:
    path = tmp_path / "given.yaml"
    path.write_text(text)
    return load({"root": tmp_path / "root"}, environment, [path])


def test_without_sources_every_value_is_a_default(tmp_path: Path) -> None:
    loaded = load({"root": tmp_path}, {}, [])
    assert Settings(root=tmp_path) == loaded.settings
    assert loaded.origins["http.listen"] == "default"
    assert loaded.origins["root"] == "flag"


def test_a_later_source_wins_and_is_remembered(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "config.yaml").write_text("http: {workers: 1, drain_seconds: 1, header_seconds: 1}")
    given = tmp_path / "given.yaml"
    given.write_text("http: {workers: 2, drain_seconds: 2}")
    environment = {"ATOMIC_REGISTRY_HTTP_WORKERS": "3", "ATOMIC_REGISTRY_LOG_ACCESS": "off"}
    loaded = load({"root": root, "http.workers": 4, "http.listen": None}, environment, [given])
    http = loaded.settings.http
    assert (http.workers, http.drain_seconds, http.header_seconds) == (4, 2, 1)
    assert not loaded.settings.log.access
    assert loaded.origins["http.workers"] == "flag"
    assert loaded.origins["http.drain_seconds"] == str(given)
    assert loaded.origins["http.header_seconds"] == str(root / "config.yaml")
    assert loaded.origins["log.access"] == "environment ATOMIC_REGISTRY_LOG_ACCESS"


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("http:\n  lisen: x\n  workers: many\nlog: {level: loud}\nuploads: 3\n")
    text = _mistakes({"root": tmp_path}, {"ATOMIC_REGISTRY_HTTP_DRAIN_SECONDS": "-1"}, [path])
    assert "bad.yaml: http.lisen: there is no such option (did you mean http.listen?)" in text
    assert "http.workers: 'many' is not a whole number at least 0" in text
    assert "log.level: 'loud' is not one of debug, info, warning, error" in text
    assert "uploads: it must be a mapping" in text
    assert "ATOMIC_REGISTRY_HTTP_DRAIN_SECONDS: '-1' is not" in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http: {workers: 1, workers: 2}", "'workers' is given twice"),
        ("http: [", "line 1"),
        ("- a", "must be a mapping"),
        ("? [a, b]\n: 1", "it is not YAML"),
        ("http: {workers: true}", "True is not a whole number"),
        ("limits: {page_size: 1000000}", "at most 100000"),
        ("storage: {directory: 7}", "7 is not a path"),
        ("!!python/object:os.system {}", "it is not YAML"),
    ],
)
def test_a_broken_file_is_refused_with_its_reason(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigInvalid, match=reason):
        _load_file(tmp_path, text)


def test_anchors_may_be_used(tmp_path: Path) -> None:
    loaded = _load_file(tmp_path, "http: {workers: &n 2, drain_seconds: *n}")
    assert loaded.settings.http.drain_seconds == 2


def test_an_empty_file_is_fine(tmp_path: Path) -> None:
    assert _load_file(tmp_path, "http:\n").settings.http == Settings().http


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "absent.yaml: No such file" in _mistakes(files=[tmp_path / "absent.yaml"])


def test_the_file_in_the_root_cannot_move_the_root(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("root: /elsewhere")
    assert "cannot move the root" in _mistakes({"root": tmp_path})


def test_an_unknown_variable_is_refused_and_service_links_are_not() -> None:
    text = _mistakes(environment={"ATOMIC_REGISTRY_LOG_LEVL": "info"})
    assert "did you mean ATOMIC_REGISTRY_LOG_LEVEL?" in text
    links = {"ATOMIC_REGISTRY_PORT": "tcp://10.0.0.1:5000", "ATOMIC_REGISTRY_SERVICE_HOST": "x"}
    assert load({}, links, []).settings == Settings()


def test_a_certificate_needs_its_key() -> None:
    text = _mistakes(environment={"ATOMIC_REGISTRY_HTTP_TLS_CERTIFICATE": "c.pem"})
    assert "http.tls.certificate: it is set without http.tls.key" in text


def test_the_password_of_the_database_is_never_printed(tmp_path: Path) -> None:
    url = "postgresql://registry:hunter2@db/registry"
    loaded = load({"root": tmp_path}, {"ATOMIC_REGISTRY_DATABASE_URL": url}, [])
    assert "hunter2" not in render_show(loaded, origin=True)
    assert "database.url: ***" in render_show(loaded)
    wrong = {"ATOMIC_REGISTRY_DATABASE_URL": "mysql://u:hunter2@db"}
    assert "hunter2" not in _mistakes(environment=wrong)
    path = tmp_path / "list.yaml"
    path.write_text("database: {url: [hunter2]}")
    assert "hunter2" not in _mistakes(files=[path])


def test_the_sample_loads_as_the_defaults(tmp_path: Path) -> None:
    assert Settings(root=tmp_path / "root") == _load_file(tmp_path, render_sample()).settings


def test_the_sample_with_every_line_in_use_loads_as_the_defaults(tmp_path: Path) -> None:
    lines = [
        line.replace("# ", "", 1) if line.lstrip().startswith("# ") and ": " in line else line
        for line in render_sample().splitlines()
        if not line.lstrip().startswith("# ") or line.split("# ")[1].split(":")[0].islower()
    ]
    path = tmp_path / "sample.yaml"
    path.write_text("\n".join(lines))
    assert load({}, {}, [path]).settings == Settings()


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("127.0.0.1:5000", ("127.0.0.1", 5000)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_listen_addresses_are_parsed(text: str, parsed: tuple[str, int]) -> None:
    assert parsed == parse_listen(text)


@pytest.mark.parametrize(
    "text", ["", "5000", ":5000", "::1:5000", "host:", "host:65536", "h:\u0665"]
)
def test_other_listen_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|brackets"):
        parse_listen(text)
    assert "http.listen" in _mistakes({"http.listen": text})


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("http.trusted_proxies", "10.0.0.0/8, nowhere", "does not appear to be"),
        ("http.trusted_proxies", "10.0.0.1/8", "has host bits set"),
        ("master.listen", "8443", "must read HOST:PORT"),
    ],
)
def test_a_text_that_stands_for_nothing_is_a_mistake(key: str, value: str, reason: str) -> None:
    found = _mistakes({key: value})
    assert f"flag: {key}: " in found
    assert reason in found


def test_proxies_are_addresses_and_networks() -> None:
    found = parse_networks("127.0.0.1, 10.0.0.0/8,::1,")
    assert ["127.0.0.1/32", "10.0.0.0/8", "::1/128"] == [str(network) for network in found]
    assert () == parse_networks("")
