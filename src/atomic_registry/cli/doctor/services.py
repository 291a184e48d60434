"""The services that are looked at."""

from dataclasses import dataclass

from atomic_registry.cli.wire import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One of the three; `is_needed` for those without which no client gets far."""

    name: str
    endpoint: Endpoint
    unit: str
    is_needed: bool = True

    @property
    def advice(self) -> str:
        """What to do where it does not answer."""
        return (
            f"on its machine: systemctl status {self.unit}; journalctl -u {self.unit} -e\n"
            f"does it listen elsewhere? name it: --{self.name} HOST:PORT"
        )
