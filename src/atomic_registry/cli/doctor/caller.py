"""As whom the doctor pushes: the login of the command line, a password, or the administrator."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from atomic_registry.cli.bindings import add_subject, cluster_role, robot_subject
from atomic_registry.cli.client import ApiClient, segment
from atomic_registry.cli.doctor.checklist import Checklist
from atomic_registry.cli.documents import text_at
from atomic_registry.cli.here import Here, can_read
from atomic_registry.cli.kubeconfig import Context, Kubeconfig
from atomic_registry.cli.trust import Trust
from atomic_registry.clock import Clock

HOP = "login"
_ROBOT_SECONDS = 600
_LOG_IN = "atomic-registry login https://HOST:8443, or name one: doctor --user NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What is shown to the registry and, through the client, to the master.

    Without a secret yet a robot of the project is to push, since certificates cannot.
    """

    name: str
    secret: str = field(repr=False, default="")
    token: str = field(repr=False, default="")
    certificates: Trust = field(repr=False, default_factory=Trust)

    @property
    def authorization(self) -> str:
        """The header that gets a registry token."""
        pair = base64.b64encode(f"{self.name}:{self.secret}".encode()).decode()
        return f"Basic {pair}"

    def client(self, server: str, trust: Trust) -> ApiClient:
        """Return the API as this caller."""
        shown = self.certificates
        mixed = replace(
            trust,
            certificate=shown.certificate,
            certificate_data=shown.certificate_data,
            key=shown.key,
            key_data=shown.key_data,
        )
        return ApiClient(server, mixed, token=self.token)


def administrators_context(here: Here | None) -> Context:
    """Return the login of this machine's administrator.

    Raises:
        ClickException: it is not here, or this user may not read it.
    """
    path = here.admin_kubeconfig if here is not None else Path("/etc/atomic-registry/master")
    context = Kubeconfig((path,)).find_context() if here is not None and can_read(path) else None
    if context is None:
        raise click.ClickException(
            f"{path} holds no administrator's login that you may read; run `doctor --admin` on the "
            "registry's machine as root, and with --root DIRECTORY where it is not installed"
        )
    return context


def of_context(context: Context | None, *, is_administrator: bool) -> Caller | None:
    """Return who is logged in, None if nobody is."""
    if context is None:
        return None
    if is_administrator:
        return Caller(name="robot", certificates=Trust.of(context.cluster, context.user))
    token = text_at(context.user, "token")
    if not token:
        return None
    name = context.user_name.rpartition("/")[0] or "robot"
    # Basic credentials end the name at the first colon; the token tells whose it is anyway.
    return Caller(name="robot" if ":" in name else name, secret=token, token=token)


def with_password(
    name: str, password: str, client: ApiClient | None, checklist: Checklist, clock: Clock
) -> Caller | None:
    """Log in at the master, where it answers; None if it refuses."""
    if client is None:
        return Caller(name=name, secret=password)
    # It brings a small server for browsers, which only logins need.
    from atomic_registry.cli.oauth_login import password_login  # noqa: PLC0415

    try:
        token = password_login(client, name, password, clock)
    except click.ClickException as error:
        checklist.fail(HOP, f"as {name}: {error.message}", "check the name and the password")
        return None
    checklist.ok(HOP, f"the master lets {name} in")
    return Caller(name=name, secret=password, token=token)


def logout_of(caller: Caller, client: ApiClient) -> Callable[[], None]:
    """Return what makes the token of a login by password worthless again."""
    client_id = "openshift-challenging-client"

    def revoke() -> None:
        client.post_form("/oauth/revoke", client_id=client_id, token=caller.token)

    return revoke


def skip_login(checklist: Checklist) -> None:
    """Say that nobody is logged in, so that nothing is pushed."""
    checklist.skip(HOP, "nobody is logged in, so nothing was pushed or pulled", _LOG_IN)


def make_robot(client: ApiClient, project: str, name: str) -> Caller:
    """Return a robot of the project that may push there.

    Raises:
        ClickException: the master refuses.
    """
    robots = f"/api/v1/namespaces/{segment(project)}/serviceaccounts"
    client.call("POST", robots, {"metadata": {"name": name}})
    add_subject(
        client, project, cluster_role("registry-admin"), robot_subject(project, name), new_name=name
    )
    spec = {"expirationSeconds": _ROBOT_SECONDS, "description": "doctor"}
    made = client.call("POST", f"{robots}/{segment(name)}/token", {"spec": spec})
    return Caller(name="robot", secret=text_at(made, "status", "token"))
