"""The texts of files that an administrator may change."""

from atomic_registry.system.install import layout
from atomic_registry.system.install.ledger import Choices

_HEAD = """\
# Read by {service}.service; after a change: systemctl restart {service}
# Any option of the configuration can stand here: atomic-registry config sample --help

# More flags for the service.
OPTIONS=
# Names and addresses by which clients reach this machine.
ATOMIC_REGISTRY_MASTER_HOSTNAMES={hostnames}
# Where the services listen. Another address holds after a restart of the service. To have systemd
# hold a port, so that no client is refused over restarts:
# `atomic-registry install --registry-port, --master-port, --console-port`.
REGISTRY_HTTP_ADDR=:{registry_port}
ATOMIC_REGISTRY_MASTER_LISTEN=0.0.0.0:{master_port}
ATOMIC_REGISTRY_CONSOLE_LISTEN=0.0.0.0:{console_port}
"""

_MORE = {
    layout.MASTER: """\
# Who gets every right when the database is made.
ATOMIC_REGISTRY_MASTER_ADMINISTRATOR={administrator}
# ATOMIC_REGISTRY_LOG_LEVEL=debug
""",
    layout.REGISTRY: """\
# Who gets every right when the database is made.
ATOMIC_REGISTRY_MASTER_ADMINISTRATOR={administrator}
# ATOMIC_REGISTRY_LOG_LEVEL=debug
# Anything in config.yml can be set here as well: REGISTRY_ and the path of the key.
# REGISTRY_STORAGE_DELETE_ENABLED=false
# The registry speaks TLS with the certificate that config.yml names. To name another:
# REGISTRY_HTTP_TLS_CERTIFICATE=/etc/atomic-registry/registry/registry.crt
# REGISTRY_HTTP_TLS_KEY=/etc/atomic-registry/registry/registry.key
# For clear HTTP, behind a proxy that does TLS, take away the marks of these two lines:
# ATOMIC_REGISTRY_HTTP_TLS_CERTIFICATE=
# ATOMIC_REGISTRY_HTTP_TLS_KEY=
""",
    layout.CONSOLE: """\
# ATOMIC_REGISTRY_LOG_LEVEL=debug
""",
}

BACKUP_SYSCONFIG = """\
# Read by atomic-registry-backup.service. To have a backup every day:
#   systemctl enable --now atomic-registry-backup.timer

# A directory, at best on another disk or another machine.
DIRECTORY=/var/backups/atomic-registry
# More flags: `--keep 30` keeps more snapshots, `--rehash` reads again what is there.
OPTIONS=
"""

_REGISTRY_CONFIG = """\
# The registry's configuration in the form of Docker Distribution. Variables in
# /etc/sysconfig/atomic-registry go before this file.
version: 0.1
log:
  level: info
http:
  addr: :{registry_port}
  tls:
    certificate: /etc/atomic-registry/registry/registry.crt
    key: /etc/atomic-registry/registry/registry.key
storage:
  filesystem:
    rootdirectory: /var/lib/atomic-registry/registry
  delete:
    enabled: true
auth:
  openshift:
    realm: openshift
"""


def sysconfig(service: str, choices: Choices, administrator: str) -> str:
    """Return the variables of a service."""
    return (_HEAD + _MORE[service]).format(
        service=service,
        hostnames=",".join(choices.hostnames),
        administrator=administrator,
        registry_port=choices.registry_port,
        master_port=choices.master_port,
        console_port=choices.console_port,
    )


def registry_config(choices: Choices) -> str:
    """Return `config.yml`."""
    return _REGISTRY_CONFIG.format(registry_port=choices.registry_port)
