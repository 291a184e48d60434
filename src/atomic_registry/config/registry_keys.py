"""What each key of Docker Distribution's `config.yml` does here; the only table of them.

Sources: Distribution, "Configuring a registry"; OpenShift's image registry, its middleware's
options and its section `openshift`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from atomic_registry.config.registry_values import (
    Reader,
    as_it_is,
    ciphers,
    hours,
    inverted,
    is_empty,
    joined_paths,
    json_text,
    level,
    listen,
    off_if_set,
    only,
    origin_of,
    public_host,
    seconds,
    seconds_or_forever,
    tls_version,
    wanted_endpoints,
    web_origin,
)

_NOT_YET = "this version does not support it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: the options that it sets, or why it sets none.

    `ignored` says why it has no effect, `refused` why nothing may start with it; `holds` marks
    what is so here in any case. `accepts` raises ValueError for what cannot be taken.
    """

    path: str
    sets: Mapping[str, Reader] | None = None
    holds: str = ""
    ignored: str = ""
    refused: str = ""
    hint: str = ""
    accepts: Callable[[object], object] = as_it_is
    harmless: Callable[[object], bool] = is_empty

    @property
    def effect(self) -> str:
        """What happens, in words."""
        if self.sets:
            return "sets " + ", ".join(f"`{option}`" for option in self.sets)
        if self.refused:
            return f"refused: {self.refused}"
        return f"no effect: {self.ignored}" if self.ignored else self.holds


def _sets(path: str, option: str, read: Reader = as_it_is) -> Key:
    return Key(path=path, sets={option: read})


def _ignored(path: str, why: str) -> Key:
    return Key(path=path, ignored=why)


def _holds(path: str, what: str, *values: object) -> Key:
    return Key(path=path, holds=what, accepts=only(*values) if values else as_it_is)


def _refused(path: str, why: str = _NOT_YET, hint: str = "") -> Key:
    return Key(path=path, refused=why, hint=hint)


def _driver(name: str) -> Key:
    hint = "images lie on a file system: set storage.filesystem.rootdirectory"
    # Also without parameters it names where images are, and nowhere else may they go.
    return Key(path=f"storage.{name}", refused=_NOT_YET, hint=hint, harmless=lambda _: False)


def _requests() -> tuple[Key, ...]:
    rows = (("read", "reads"), ("write", "writes"))
    return tuple(
        key
        for theirs, ours in rows
        for key in (
            _sets(f"openshift.requests.{theirs}.maxrunning", f"limits.{ours}_running"),
            _sets(f"openshift.requests.{theirs}.maxinqueue", f"limits.{ours}_waiting"),
            _sets(
                f"openshift.requests.{theirs}.maxwaitinqueue",
                f"limits.{ours}_wait_seconds",
                seconds_or_forever,
            ),
        )
    )


_LOG = (
    _holds("version", "must be 0.1", 0.1, "0.1"),
    _sets("loglevel", "log.level", level),
    _sets("log.level", "log.level", level),
    _sets("log.formatter", "log.format"),
    _sets("log.fields", "log.fields", json_text),
    _sets("log.accesslog.disabled", "log.access", inverted),
    _ignored("log.hooks", "no mail is sent; watch the journal"),
)

_HTTP = (
    _sets("http.addr", "http.listen", listen),
    _holds("http.net", "TCP is the only one", "tcp"),
    _refused("http.prefix", "paths begin with /v2/", "let a proxy take the prefix away"),
    Key(path="http.host", sets={"http.token_url": origin_of, "http.public_host": public_host}),
    _holds("http.relativeurls", "locations are always relative", True, False),
    _ignored("http.secret", "uploads are bound to their owner by the database"),
    _sets("http.draintimeout", "http.drain_seconds", seconds),
    _sets("http.headers", "http.headers", json_text),
    _ignored("http.http2", "HTTP/1.1 is spoken"),
    _ignored("http.h2c", "HTTP/1.1 is spoken"),
    _ignored("http.debug", "`/metrics` is part of the service, for those who may see it"),
    _sets("http.tls.certificate", "http.tls.certificate"),
    _sets("http.tls.key", "http.tls.key"),
    _sets("http.tls.clientcas", "http.tls.client_authorities", joined_paths),
    _holds(
        "http.tls.clientauth", "with `clientcas` it is mandatory", "require-and-verify-client-cert"
    ),
    _sets("http.tls.minimumtls", "http.tls.minimum", tls_version),
    _sets("http.tls.minversion", "http.tls.minimum", tls_version),
    _sets("http.tls.ciphersuites", "http.tls.ciphers", ciphers),
    _refused("http.tls.letsencrypt", hint="set http.tls.certificate and http.tls.key"),
)

_STORAGE = (
    _sets("storage.filesystem.rootdirectory", "storage.directory"),
    _ignored("storage.filesystem.maxthreads", "threads follow the number of requests"),
    *map(_driver, ("s3", "s3aws", "s3goamz", "gcs", "azure", "swift", "oss", "rados", "inmemory")),
    _driver("testdriver"),
    _sets("storage.delete.enabled", "storage.deletes"),
    _ignored("storage.redirect", "blobs are sent by the registry itself"),
    _ignored("storage.cache", "where a blob lies is asked of the database"),
    _ignored("storage.tag", "tags are rows of the database"),
    _sets("storage.maintenance.uploadpurging.enabled", "uploads.expires"),
    _sets("storage.maintenance.uploadpurging.age", "uploads.expire_hours", hours),
    _sets("storage.maintenance.uploadpurging.interval", "uploads.interval_seconds", seconds),
    _sets("storage.maintenance.uploadpurging.dryrun", "uploads.expires", off_if_set),
    _sets("storage.maintenance.readonly.enabled", "storage.read_only"),
)

_ONE_POLICY = "who may do what is decided by roles, as with `auth.openshift`"
_PROVIDERS = "name who may log in under oauthConfig.identityProviders of master-config.yaml"
_PULL_THROUGH = "images of other registries are not pulled through"

_AUTH = (
    _holds("auth.openshift.realm", "answers name their realm by themselves"),
    _sets("auth.openshift.tokenrealm", "http.token_url", web_origin),
    _holds("auth.openshift.audit.enabled", "each request is logged with who sent it", True, False),
    *(
        Key(path=f"auth.{name}", refused=_ONE_POLICY, hint=_PROVIDERS, harmless=lambda _: False)
        for name in ("htpasswd", "token", "silly", "none")
    ),
)

_MIDDLEWARE = (
    _ignored("middleware.registry.openshift", "what it did is built in"),
    _ignored("middleware.storage.openshift", "what it did is built in"),
    _ignored("middleware.repository.openshift.acceptschema2", "schema 2 is always taken"),
    _ignored("middleware.repository.openshift.pullthrough", _PULL_THROUGH),
    _ignored("middleware.repository.openshift.mirrorpullthrough", _PULL_THROUGH),
    _sets("middleware.repository.openshift.enforcequota", "limits.quotas"),
    _ignored("middleware.repository.openshift.projectcachettl", "limits are read at each push"),
    _ignored("middleware.repository.openshift.blobrepositorycachettl", "nothing is cached"),
    _sets("middleware.repository.openshift.dockerregistryurl", "http.public_host", public_host),
)

_OPENSHIFT = (
    _holds("openshift.version", "must be 1.0", 1.0, "1.0"),
    _sets("openshift.server.addr", "http.public_host", public_host),
    _holds("openshift.auth.realm", "answers name their realm by themselves"),
    _sets("openshift.auth.tokenrealm", "http.token_url", web_origin),
    _holds("openshift.audit.enabled", "each request is logged with who sent it", True, False),
    _ignored("openshift.metrics", "`/metrics` is for those who hold the right to see it"),
    *_requests(),
    _sets("openshift.quota.enabled", "limits.quotas"),
    _ignored("openshift.quota.cachettl", "limits are read at each push"),
    _ignored("openshift.cache", "nothing is cached"),
    _ignored("openshift.pullthrough", _PULL_THROUGH),
    _ignored("openshift.compatibility", "schema 2 is always taken"),
    _ignored("openshift.kubeconfig", "the registry and the master meet in the database"),
)

_OTHERS = (
    Key(
        path="notifications.endpoints",
        refused=_NOT_YET,
        hint="take the endpoints away, or mark each with disabled: true",
        harmless=lambda value: not wanted_endpoints(value),
    ),
    _ignored("notifications.events", "there are no endpoints"),
    _refused("proxy", "the registry cannot stand for another one", "take the section away"),
    _sets("catalog.maxentries", "limits.page_size"),
    _ignored("health", "`/readyz` looks at the database and the storage"),
    _ignored("redis", "where a blob lies is asked of the database"),
    _ignored("reporting", "nothing is reported to others"),
    _ignored("profiling", "there is no profiler"),
    _ignored("compatibility", "schema 1 is of the past"),
    _ignored("policy", "classes of repositories are decided by nobody"),
    _refused("validation", "what a manifest may refer to cannot be narrowed"),
)

KEYS: Mapping[str, Key] = {
    key.path: key for key in (*_LOG, *_HTTP, *_STORAGE, *_AUTH, *_MIDDLEWARE, *_OPENSHIFT, *_OTHERS)
}

SECTIONS: frozenset[str] = frozenset(
    ".".join(path.split(".")[:depth]) for path in KEYS for depth in range(1, path.count(".") + 1)
)
"""Paths that hold further keys."""
