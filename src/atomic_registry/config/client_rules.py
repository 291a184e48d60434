"""Sections of `master-config.yaml` about requests: which programs may ask, and what is recorded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from atomic_registry.config.faults import Fault, keyed

_REJECTION = "this client is not supported here: use another version of it"
_VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredClient:
    """Programs whose `User-Agent` fits; without `httpVerbs` it is about every request."""

    regex: str
    http_verbs: tuple[str, ...] = field(default=(), metadata=keyed("httpVerbs"))

    def check(self) -> Iterator[Fault]:
        yield from _check_client(self.regex, self.http_verbs)

    def fits(self, agent: str) -> bool:
        """Tell whether the program is one of these."""
        return re.search(self.regex, agent) is not None

    def is_about(self, method: str) -> bool:
        """Tell whether requests of this method are looked at."""
        return not self.http_verbs or method in self.http_verbs


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedClient(RequiredClient):
    """Programs that are refused, and what they are told."""

    rejection_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAgentMatching:
    """Which programs may use the API; a program can call itself anything, so it is a courtesy."""

    default_rejection_message: str = ""
    required_clients: tuple[RequiredClient, ...] = ()
    denied_clients: tuple[DeniedClient, ...] = ()

    def refusal(self, method: str, agent: str) -> str:
        """Return what the program is told if it is refused, else nothing."""
        usual = self.default_rejection_message or _REJECTION
        required = [it for it in self.required_clients if it.is_about(method)]
        if required and not any(it.fits(agent) for it in required):
            return usual
        denied = (it for it in self.denied_clients if it.is_about(method) and it.fits(agent))
        return next((it.rejection_message or usual for it in denied), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyConfig:
    """Of the original's policy there are the rules about clients; roles are in the database."""

    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {
            "bootstrapPolicyFile",
            "openshiftInfrastructureNamespace",
            "openshiftSharedResourcesNamespace",
        }
    )

    user_agent_matching_config: UserAgentMatching = field(default_factory=UserAgentMatching)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditConfig:
    """A record of each request that changes something or is refused, besides the log.

    Zero days, files or megabytes stand for no limit.
    """

    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {
            "logFormat",
            "policyConfiguration",
            "policyFile",
            "webHookKubeConfig",
            "webHookMode",
        }
    )

    enabled: bool = False
    audit_file_path: Path | None = None
    maximum_file_retention_days: int = 0
    maximum_retained_files: int = 0
    maximum_file_size_megabytes: int = 100

    def check(self) -> Iterator[Fault]:
        for key, value in (
            ("maximumFileRetentionDays", self.maximum_file_retention_days),
            ("maximumRetainedFiles", self.maximum_retained_files),
            ("maximumFileSizeMegabytes", self.maximum_file_size_megabytes),
        ):
            if value < 0:
                yield Fault(key=key, reason="it must be at least 0")


def _check_client(regex: str, verbs: tuple[str, ...]) -> Iterator[Fault]:
    try:
        re.compile(regex)
    except re.error as error:
        yield Fault(key="regex", reason=f"{regex!r} is no regular expression: {error}")
    unknown = [verb for verb in verbs if verb not in _VERBS]
    if unknown:
        reason = f"{', '.join(unknown)}: not one of {', '.join(sorted(_VERBS))}"
        yield Fault(key="httpVerbs", reason=reason)
