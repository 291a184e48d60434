"""An update: which parts it needs, and what it asks of them, in order."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from atomic_registry.app.database import database_url
from atomic_registry.store.metadata import SCHEMA_VERSION, rehearse_migration
from atomic_registry.system.install import layout
from atomic_registry.system.install.effective import service_environment, settings_by
from atomic_registry.system.install.target import InstallFailed, Target
from atomic_registry.system.update.services import Services
from atomic_registry.system.update.tree import PROGRAM
from atomic_registry.system.update.versions import Versions

_REHEARSAL = Path("/var/lib/atomic-registry/.rehearsal")


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a version says about the database, to another version that asks it.

    `knows` is the newest schema that it can use, `schema` what the database has after it; only
    versions that know `compatible_with` can use it then.
    """

    knows: int
    schema: int
    compatible_with: int


def rehearse(url: str, directory: Path) -> bytes:
    """Return what this version would make of a database, as JSON for the version that asks.

    Raises:
        SchemaTooNew, MetadataFailed, StorageFull, StorageReadOnly: it cannot use the database.
    """
    state = rehearse_migration(url, directory)
    return msgspec.json.encode(
        Rehearsed(knows=SCHEMA_VERSION, schema=state.version, compatible_with=state.compatible_with)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Brings a machine from the version in use to one that lies beside it."""

    target: Target
    versions: Versions
    services: Services
    tell: Callable[[str], None]

    def rehearse(self, version: str) -> Rehearsed:
        """Let a version try its migration on a copy of the database, and read the settings.

        Raises:
            InstallFailed: it could not use the database, or the settings.
            ConfigInvalid: the settings of the installation are wrong as they are.
        """
        program = str(self.versions.path(version) / "bin" / PROGRAM)
        for service in layout.SERVICES:
            environment = [
                f"{name}={value}" for name, value in service_environment(service).items()
            ]
            self.target.run(["env", "-i", *environment, program, "config", "check"])
        settings = settings_by(service_environment(layout.MASTER))
        place = self.target.at(_REHEARSAL)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        try:
            words = ["update", "--rehearse", database_url(settings), str(place)]
            answer = self.target.run([program, *words])
        finally:
            shutil.rmtree(place)
        try:
            return msgspec.json.decode(answer.strip().splitlines()[-1], type=Rehearsed)
        except (msgspec.MsgspecError, IndexError) as error:
            raise InstallFailed(f"version {version} does not answer: {answer}") from error

    def may_return(self, rehearsed: Rehearsed) -> bool:
        """Tell whether the version in use could use the database after the other one has.

        Raises:
            InstallFailed: it cannot be asked.
        """
        return rehearsed.compatible_with <= self.rehearse(self.versions.current).knows

    def change(self, version: str, *, seconds: float, may_return: bool) -> None:
        """Change to a version, and back if its services do not do well.

        Raises:
            InstallFailed: the version before is in use again, or, if there is no way back, what to
                do now.
        """
        before, running = self.versions.current, self.services.running()
        kept = self.versions.previous
        self.versions.remember_previous(before)
        try:
            self._switch(version)
            self._restart(running, seconds)
        except InstallFailed as error:
            if not may_return:
                raise InstallFailed(
                    f"{error}\n{before} cannot use the database any more, so {version} stays; mend "
                    "what it says and restart the services, or restore a backup"
                ) from error
            self.tell(f"going back to {before}")
            self._switch(before)
            self._restart(running, seconds)
            if kept:
                self.versions.remember_previous(kept)
            raise InstallFailed(f"{error}\n{before} is in use again, and does well") from error

    def _switch(self, version: str) -> None:
        """Let the version install itself: its units, its defaults, and the link to it."""
        self.tell(f"switching to {version}")
        self.target.run([str(self.versions.path(version) / "bin" / PROGRAM), "install"])

    def _restart(self, names: tuple[str, ...], seconds: float) -> None:
        for name in names:
            self.tell(f"restarting {name}")
            self.services.restart((name,), seconds=seconds)
