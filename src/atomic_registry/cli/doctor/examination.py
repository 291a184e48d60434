"""The whole way in order; a hop that fails keeps only those back that need it."""

from dataclasses import dataclass, field
from pathlib import Path

from atomic_registry.cli.client import ApiClient
from atomic_registry.cli.doctor import caller as callers
from atomic_registry.cli.doctor.api import watch_while
from atomic_registry.cli.doctor.caller import Caller
from atomic_registry.cli.doctor.checklist import Checklist
from atomic_registry.cli.doctor.front import check_front, check_ready
from atomic_registry.cli.doctor.images import (
    LARGE,
    MEDIUM,
    SMALL,
    Transfer,
    TransferFailed,
    image_of,
    random_layers,
)
from atomic_registry.cli.doctor.network import check_connections, check_names
from atomic_registry.cli.doctor.scratch import CannotPush, Scratch, Tidy, make_scratch, tidying
from atomic_registry.cli.doctor.services import Service
from atomic_registry.cli.doctor.storage import check_storage
from atomic_registry.cli.doctor.tls import TlsCheck, Voucher
from atomic_registry.cli.trust import Trust
from atomic_registry.cli.wire import Line
from atomic_registry.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to look at, and as whom; without a caller nothing is pushed."""

    services: tuple[Service, ...]
    vouchers: tuple[Voucher, ...]
    caller: Caller | None
    username: str = ""
    password: str = field(repr=False, default="")
    project: str = ""
    is_large: bool = False
    directories: tuple[Path, ...] = ()


class Examination:
    """One way from here to the registry and back."""

    def __init__(self, wanted: Wanted, checklist: Checklist, clock: Clock) -> None:
        self._wanted = wanted
        self._checklist = checklist
        self._clock = clock

    def run(self) -> None:
        """Fill the checklist."""
        lines = self._open_lines()
        token_path = ""
        registry, master = lines.get("registry"), lines.get("master")
        if registry is not None:
            token_path = check_front(registry[0], self._checklist)
        if registry is not None and (token_path or self._wanted.project):
            server = None if master is None else (master[0].origin, master[1])
            with tidying(self._checklist) as tidy:
                self._transfer(registry[0], token_path, server, tidy)
        check_storage(list(self._wanted.directories), self._checklist, self._clock)

    def _open_lines(self) -> dict[str, tuple[Line, Trust]]:
        services = self._wanted.services
        addresses = check_names(services, self._checklist)
        reachable = check_connections(services, addresses, self._checklist)
        tls = TlsCheck(self._wanted.vouchers, self._checklist, self._clock)
        found = {}
        for service in reachable:
            opened = tls.open_line(service, addresses[service.endpoint.host])
            if opened is None:
                continue
            if check_ready(service, opened[0], self._checklist, self._clock) is not None:
                found[service.name] = opened
        return found

    def _transfer(
        self, line: Line, token_path: str, server: tuple[str, Trust] | None, tidy: Tidy
    ) -> None:
        caller = self._caller(server, tidy)
        if caller is None:
            return
        client = None if server is None else caller.client(*server)
        # A name of a label: it begins with a letter and is nobody else's.
        name = f"doctor-{self._clock.new_id()[:12]}"
        try:
            scratch = make_scratch(
                client, caller, self._wanted.project, name, tidy=tidy, checklist=self._checklist
            )
            transfer = Transfer(line, scratch, self._checklist, self._clock, token_path)
            self._carry(transfer, scratch, client)
        except (CannotPush, TransferFailed):
            # The checklist says why.
            return

    def _caller(self, server: tuple[str, Trust] | None, tidy: Tidy) -> Caller | None:
        wanted = self._wanted
        if wanted.username:
            client = None if server is None else ApiClient(*server)
            caller = callers.with_password(
                wanted.username, wanted.password, client, self._checklist, self._clock
            )
            if caller is not None and client is not None:
                tidy.later("the login", callers.logout_of(caller, client))
            return caller
        if wanted.caller is None:
            callers.skip_login(self._checklist)
        return wanted.caller

    def _carry(self, transfer: Transfer, scratch: Scratch, client: ApiClient | None) -> None:
        sizes = [SMALL, MEDIUM, *([LARGE] if self._wanted.is_large else [])]
        layers = random_layers(sizes)
        config, manifest = image_of(layers)
        blobs = [config, *layers]
        transfer.log_in()
        transfer.push_blobs(blobs)
        if client is None:
            transfer.push_manifest(manifest)
            self._checklist.skip("api", "no master to watch")
        else:
            watch_while(
                client,
                scratch,
                lambda: transfer.push_manifest(manifest),
                self._checklist,
                self._clock,
            )
        transfer.pull(manifest, blobs)
        transfer.delete(manifest, blobs)
