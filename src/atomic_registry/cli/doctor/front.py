"""What stands before the registry, and whether it hands on what clients sent: the challenge tells."""

import re
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from atomic_registry.cli.client import Answer
from atomic_registry.cli.condition.services import describe_unready
from atomic_registry.cli.doctor.checklist import Checklist
from atomic_registry.cli.doctor.services import Service
from atomic_registry.cli.wire import ExchangeFailed, Line, resolve
from atomic_registry.clock import Clock

PROXY = "proxy"
_ANSWER = "answer"
_FIELD = re.compile(r'(\w+)="([^"]*)"')
_SKEW_SECONDS = 60
_FORWARD = (
    "in the proxy: proxy_set_header Host $http_host; "
    "proxy_set_header X-Forwarded-Proto $scheme; (as nginx writes it)\n"
    "for the registry: http.trusted_proxies = the proxy's address "
    "(ATOMIC_REGISTRY_HTTP_TRUSTED_PROXIES)"
)


def check_ready(service: Service, line: Line, checklist: Checklist, clock: Clock) -> Answer | None:
    """Return what the service says of itself, None if it says nothing."""
    try:
        answer = line.send("GET", "/readyz", headers={"Accept": "application/json"})
    except ExchangeFailed as error:
        checklist.fail(_ANSWER, f"{service.name}: {error}", service.advice)
        return None
    _check_clock(service, answer, checklist, clock)
    if answer.status == 200:
        checklist.ok(_ANSWER, f"{service.name}: ready")
    elif is_of_proxy(answer):
        checklist.fail(
            PROXY,
            f"{service.name}: {proxy_name(answer)} answers {answer.status} in its place",
            f"the proxy does not reach the service: its error log says where it looks\n"
            f"{service.advice}",
        )
        return None
    else:
        checklist.fail(
            _ANSWER,
            f"{service.name}: {describe_unready(answer)}",
            f"journalctl -u {service.unit} -e",
        )
    return answer


def proxy_name(answer: Answer) -> str:
    """Return who else has touched the answer, empty if nobody says so; we sign none."""
    return answer.headers.get("via", "") or answer.headers.get("server", "")


def is_of_proxy(answer: Answer) -> bool:
    """Tell whether a proxy made the answer: ours are JSON, also where they refuse."""
    return answer.status >= 400 and "json" not in answer.headers.get("content-type", "")


def check_front(line: Line, checklist: Checklist) -> str:
    """Return the path and query of the token endpoint, empty where nobody is asked for a token."""
    try:
        answer = line.send("GET", "/v2/")
    except ExchangeFailed as error:
        checklist.fail(_ANSWER, f"registry: GET /v2/: {error}", "journalctl -u atomic-registry -e")
        return ""
    name = proxy_name(answer)
    checklist.ok(PROXY, f"{name} stands before the registry" if name else "none shows itself")
    challenge = answer.headers.get("www-authenticate", "")
    if answer.status == 200:
        checklist.warn(
            "challenge", "everybody may do everything: access.policy is open", "set it to rbac"
        )
        return ""
    fields = dict(_FIELD.findall(challenge))
    realm = fields.get("realm", "")
    if answer.status != 401 or not challenge.startswith("Bearer ") or not realm:
        checklist.fail(
            "challenge",
            f"GET /v2/ was answered {answer.status} {challenge!r}, not with the way to a token",
            "another server answers at this port, or a proxy has a login of its own: switch it off",
        )
        return ""
    if _check_realm(line, realm, checklist):
        checklist.ok("challenge", f"tokens are at {realm}")
    service = fields.get("service", "")
    return f"{urlsplit(realm).path}?service={service}"


def _check_realm(line: Line, realm: str, checklist: Checklist) -> bool:
    if realm.startswith(f"{line.origin}/"):
        return True
    told, used = urlsplit(realm), urlsplit(line.origin)
    if told.scheme != used.scheme:
        checklist.fail(
            PROXY,
            f"clients come by {used.scheme} and are sent to {realm}: "
            "the proxy does not say how they came",
            _FORWARD,
        )
        return False
    fault = _fault_of_host(told.hostname or "")
    if told.hostname == used.hostname:
        fault = fault or "another port than the one that clients came to"
    if fault:
        checklist.fail(PROXY, f"clients are sent to {realm} for a token: {fault}", _FORWARD)
    else:
        checklist.warn(
            PROXY, f"clients are sent to {realm} for a token, not to {line.origin}", _FORWARD
        )
    return False


def _fault_of_host(host: str) -> str:
    try:
        resolve(host)
    except ExchangeFailed as error:
        return f"{host} has no address: {error}"
    return ""


def _check_clock(service: Service, answer: Answer, checklist: Checklist, clock: Clock) -> None:
    try:
        there = parsedate_to_datetime(answer.headers.get("date", ""))
        skew = (there - clock.now()).total_seconds()
    except (TypeError, ValueError):
        # No time was sent, or none with a zone.
        return
    if abs(skew) > _SKEW_SECONDS:
        checklist.warn(
            "clock",
            f"{service.name}: its clock is {abs(skew):.0f} s "
            f"{'ahead of' if skew > 0 else 'behind'} this machine's; tokens and certificates "
            "may look expired",
            "set both by NTP: timedatectl set-ntp true",
        )
    elif service.name == "registry":
        checklist.ok("clock", "as on this machine")
