"""A `config.yml` to start from, with every key that sets something."""

from collections.abc import Mapping

from atomic_registry.config.options import list_options
from atomic_registry.config.registry_keys import KEYS

# Of several keys for one thing, the one of Docker Distribution's present documentation.
_EXAMPLES: Mapping[str, str] = {
    "log.level": "info",
    "log.formatter": "json",
    "log.fields": "{site: north}",
    "log.accesslog.disabled": "false",
    "http.addr": ":5000",
    "http.host": "https://registry.example.com:5000",
    "http.draintimeout": "30s",
    "http.headers": "{X-Site: [north]}",
    "http.tls.certificate": "/etc/atomic-registry/registry/registry.crt",
    "http.tls.key": "/etc/atomic-registry/registry/registry.key",
    "http.tls.clientcas": "[/etc/atomic-registry/registry/clients.crt]",
    "http.tls.minimumtls": "tls1.2",
    "http.tls.ciphersuites": "[TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]",
    "storage.filesystem.rootdirectory": "/var/lib/atomic-registry/registry",
    "storage.delete.enabled": "true",
    "storage.maintenance.uploadpurging.enabled": "true",
    "storage.maintenance.uploadpurging.age": "24h",
    "storage.maintenance.uploadpurging.interval": "10m",
    "storage.maintenance.readonly.enabled": "false",
    "openshift.requests.read.maxrunning": "100",
    "openshift.requests.read.maxinqueue": "50",
    "openshift.requests.read.maxwaitinqueue": "30s",
    "openshift.requests.write.maxrunning": "100",
    "openshift.requests.write.maxinqueue": "50",
    "openshift.requests.write.maxwaitinqueue": "30s",
    "openshift.quota.enabled": "true",
    "catalog.maxentries": "1000",
}

# Where the key is written in another way than the option that it sets.
_WORDS: Mapping[str, str] = {
    "log.fields": "Fields that each line has besides.",
    "log.accesslog.disabled": "Whether the line for each request is left out.",
    "http.host": "The URL by which clients reach the registry, also to get tokens.",
    "http.headers": "Headers that go with each answer, each with a list of values.",
    "http.tls.clientcas": "Nobody connects without a certificate of an authority in these files.",
    "http.tls.ciphersuites": "Cipher suites of TLS 1.2, by the names of the standard.",
}


def render_registry_sample() -> str:
    """Return the file, with its keys commented out."""
    options = list_options()
    lines = [
        "# The registry's configuration in the form of Docker Distribution's config.yml.",
        "# Take away the mark of a line to set it; docs/configuration.md lists every key.",
        "version: 0.1",
    ]
    opened: set[str] = set()
    for path, example in _EXAMPLES.items():
        *sections, name = path.split(".")
        for depth in range(len(sections)):
            section = ".".join(sections[: depth + 1])
            if section not in opened:
                opened.add(section)
                lines.append(f"{'  ' * depth}{sections[depth]}:")
        indent = "  " * len(sections)
        helps = [options[option].help for option in KEYS[path].sets or ()]
        lines.append(f"{indent}# {_WORDS.get(path, ' '.join(helps))}")
        lines.append(f"{indent}# {name}: {_quoted(example)}")
    return "\n".join(lines) + "\n"


def _quoted(example: str) -> str:
    # A plain text of YAML cannot begin so.
    return f'"{example}"' if example.startswith(":") else example
