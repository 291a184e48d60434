"""Everything that was found, for people and for programs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import click

from atomic_registry.cli.certificates import WARN_DAYS
from atomic_registry.cli.condition.services import ServiceState
from atomic_registry.cli.documents import Document, number_at, text_at, texts_at
from atomic_registry.cli.output import printable

_LOW_SHARE = 20
_SERVING = ("master", "registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`storage` is None, and the rest empty, where this is not the services' machine."""

    services: tuple[ServiceState, ...]
    units: Mapping[str, str]
    versions: Document
    certificates: tuple[Document, ...]
    storage: Document | None
    providers: tuple[Document, ...]
    backup: Document | None
    is_here: bool

    @property
    def condition(self) -> str:
        """One word: healthy, degraded, or down when neither registry nor master answers."""
        serving = [it for it in self.services if it.name in _SERVING]
        if not any(it.is_up for it in serving):
            return "down"
        is_bad = any(it.fault for it in self.services) or any(self.warnings())
        return "degraded" if is_bad else "healthy"

    @property
    def exit_code(self) -> int:
        """As scripts expect it."""
        return {"healthy": 0, "degraded": 1, "down": 2}[self.condition]

    @property
    def notice(self) -> str:
        """The master's own words on who is let in, none where names are proven."""
        return next((it.identity for it in self.services if it.identity), "")

    def warnings(self) -> Iterator[str]:
        """Return what needs somebody, besides services that do not answer."""
        for certificate in self.certificates:
            if number_at(certificate, "days", default=WARN_DAYS) < WARN_DAYS:
                yield f"the certificate of {text_at(certificate, 'service')} ends soon or has ended"
        if self.storage is not None:
            if text_at(self.storage, "fault"):
                yield f"storage: {text_at(self.storage, 'fault')}"
            free = number_at(self.storage, "freeBytes", default=1)
            if free * _LOW_SHARE < number_at(self.storage, "totalBytes", default=0):
                yield "less than a twentieth of the disk is free"

    def document(self) -> Document:
        """Return it for programs; keys stay."""
        services = [{**it.document(), "unit": self.units.get(it.name, "")} for it in self.services]
        return {
            "kind": "Condition",
            "condition": self.condition,
            "services": services,
            "versions": self.versions,
            "certificates": list(self.certificates),
            "storage": self.storage,
            "identity": {"providers": list(self.providers), "notice": self.notice},
            "backup": self.backup,
            "warnings": list(self.warnings()),
        }


def echo_report(report: Report) -> None:
    """Print it for people; what to do goes to standard error."""
    for service in report.services:
        unit = report.units.get(service.name, "")
        shown = f"  ({unit})" if unit else ""
        click.echo(f"{service.name:<9} {service.address}  {service.fault or 'ready'}{shown}")
    if report.notice:
        click.echo(report.notice)
    if report.is_here:
        for line in _machine_lines(report):
            click.echo(printable(line))
    for warning in report.warnings():
        click.echo(f"Warning: {printable(warning)}", err=True)
    if any(service.fault for service in report.services):
        _tell_next(report)


def _tell_next(report: Report) -> None:
    click.echo("\nWhat to do next, on the machine where it runs:", err=True)
    if report.units:
        click.echo("  why it is not ready:  journalctl -u 'atomic-registry*' -e", err=True)
    else:
        click.echo("  see that it runs:     atomic-registry serve --root DIRECTORY", err=True)
        click.echo("  read why it is not ready in what it prints", err=True)
    click.echo("  which hop fails:      atomic-registry doctor", err=True)
    click.echo("  where the registry is elsewhere: status --registry HOST:PORT", err=True)


def _machine_lines(report: Report) -> Iterator[str]:
    yield ""
    yield "version   " + ", ".join(f"{name} {it}" for name, it in report.versions.items())
    for item in report.certificates:
        what = text_at(item, "fault") or (
            f"until {text_at(item, 'expires')[:10]} ({item['days']} days), "
            f"for {', '.join(texts_at(item, 'names')) or text_at(item, 'subject')}"
        )
        yield f"certificate of {text_at(item, 'service')}: {what}"
        if number_at(item, "days", default=WARN_DAYS) < WARN_DAYS:
            yield f"  {text_at(item, 'renewal')}"
    if report.storage is not None:
        yield from _storage_lines(report.storage)
    if report.providers:
        names = [f"{text_at(it, 'name')} ({text_at(it, 'kind')})" for it in report.providers]
        yield f"identity  {', '.join(names)}"
    yield f"backup    {_backup_text(report.backup)}"


def _backup_text(backup: Document | None) -> str:
    if backup is None:
        return "never; make one: atomic-registry backup create DIRECTORY"
    if text_at(backup, "fault"):
        return f"not known: {text_at(backup, 'fault')}; ask as root"
    whole = "whole" if backup["isWhole"] else "with blobs missing"
    return f"{text_at(backup, 'time')} to {text_at(backup, 'place')}, {whole}"


def _storage_lines(storage: Document) -> Iterator[str]:
    free, size = (number_at(storage, key, default=0) for key in ("freeBytes", "totalBytes"))
    yield (
        f"storage   {text_at(storage, 'directory')}: {_gibibytes(free)} of {_gibibytes(size)} free"
    )
    if "blobBytes" in storage:
        used = _gibibytes(number_at(storage, "blobBytes", default=0))
        yield (
            f"content   {used} in {storage['blobs']} blobs; {storage['projects']} projects, "
            f"{storage['streams']} streams, {storage['images']} images; "
            f"schema {storage['schemaVersion']}"
        )


def _gibibytes(size: int) -> str:
    return f"{size / (1 << 30):.2f} GiB"
