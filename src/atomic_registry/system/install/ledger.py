"""What an installation has written, so that the next one can tell what an administrator changed."""

from hashlib import sha256
from pathlib import Path

import msgspec

from atomic_registry.system.durable_files import write_file
from atomic_registry.system.install.target import InstallFailed, Target

LEDGER = Path("/etc/atomic-registry/installed.json")


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line; the next installation begins with it."""

    hostnames: tuple[str, ...] = ()
    registry_port: int = 5000
    master_port: int = 8443
    console_port: int = 9090
    identity_provider: str = "anypassword"


class Ledger(msgspec.Struct, kw_only=True):
    """`files` holds the SHA-256 of each file as it was written, by its path."""

    version: str = ""
    choices: Choices = msgspec.field(default_factory=Choices)
    files: dict[str, str] = msgspec.field(default_factory=dict)

    def wrote(self, path: Path, content: bytes) -> None:
        """Remember what is in the file."""
        self.files[str(path)] = sha256(content).hexdigest()

    def is_own(self, path: Path, content: bytes) -> bool:
        """Tell whether the file has in it what an installation wrote."""
        return self.files.get(str(path)) == sha256(content).hexdigest()


def load_ledger(target: Target) -> Ledger | None:
    """Return what earlier installations wrote, or None if there was none.

    Raises:
        InstallFailed: the file cannot be read.
    """
    path = target.at(LEDGER)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ledger)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise InstallFailed(
            f"cannot read {path}: {error}; it tells which files an administrator has changed, so "
            "restore it from a backup, or move it away to have every file taken for changed"
        ) from error


def save_ledger(target: Target, ledger: Ledger) -> None:
    """Write it down.

    Raises:
        OSError: that is not possible.
    """
    content = msgspec.json.format(msgspec.json.encode(ledger), indent=2) + b"\n"
    write_file(target.at(LEDGER), content, 0o644)
