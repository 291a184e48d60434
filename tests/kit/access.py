"""The registry and its master with access control, and the API as people and programs call it."""

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.kit.http import Answer, RegistryClient
from tests.kit.registry import clean_environment, free_port, wait_until

PROJECTS = "/apis/project.openshift.io/v1/projects"
REQUESTS = "/apis/project.openshift.io/v1/projectrequests"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
USERS = "/apis/user.openshift.io/v1/users"
GROUPS = "/apis/user.openshift.io/v1/groups"
OWN_TOKENS = "/apis/oauth.openshift.io/v1/useroauthaccesstokens"
TOKEN_PATH = "/openshift/token"
START_SECONDS = 40.0
REVOKED_WITHIN = 10.0


def basic(username: str, password: str) -> dict[str, str]:
    """The header of Basic credentials."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def bearer(token: str) -> dict[str, str]:
    """The header of a bearer token."""
    return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One process of the service and the file that it prints to."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """Ask it to stop; kill what does not."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the process and all its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


class Site:
    """Both services on one root, and calls as the administrator or with credentials."""

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.host = f"127.0.0.1:{free_port()}"
        self.master_host = f"127.0.0.1:{free_port()}"
        self.commands: dict[str, Command] = {}
        self._environment = clean_environment(
            {
                "ATOMIC_REGISTRY_HTTP_WORKERS": "2",
                **(environment or {}),
                "ATOMIC_REGISTRY_HTTP_LISTEN": self.host,
                "ATOMIC_REGISTRY_MASTER_LISTEN": self.master_host,
            }
        )

    @property
    def ca(self) -> Path:
        """The certificate of the site's own authority."""
        return self.root / "master" / "ca.crt"

    def start(self, service: str = "all") -> None:
        """Start all services or one of them, and wait until they answer."""
        log = self.directory / f"{service}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "atomic_registry", "serve", service, "--root", self.root],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self.directory,
                start_new_session=True,
            )
        self.commands[service] = Command(process=process, log=log)
        wait_until(f"{service} answers", lambda: self._is_up(service, process), START_SECONDS)

    def stop(self) -> None:
        """Stop everything that was started."""
        for command in self.commands.values():
            command.stop()

    def output(self) -> str:
        """Everything that was printed."""
        texts = [command.log.read_text(errors="replace") for command in self.commands.values()]
        return "\n".join(texts)

    def registry(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request to the registry."""
        with RegistryClient(self.host) as client:
            return client.request(method, path, body, headers or {})

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        is_administrator: bool = True,
    ) -> Answer:
        """One request to the master, as the administrator unless it carries credentials."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if headers is None and is_administrator:
            pair = (self.root / "master" / f"admin.{end}" for end in ("crt", "key"))
            context.load_cert_chain(*map(str, pair))
        connection = http.client.HTTPSConnection(self.master_host, context=context, timeout=30)
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
        with contextlib.closing(connection):
            connection.request(method, path, content, {**kind, **(headers or {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=found, body=response.read())

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The document that a successful call of the API answers."""
        answer = self.api(method, path, body, headers)
        assert answer.status < 300, (method, path, answer.status, answer.body)
        return json.loads(answer.body)

    def log_in(self, user: str, password: str = "password") -> str:
        """An access token, got as the original's command line gets one."""
        query = urlencode({"client_id": "openshift-challenging-client", "response_type": "token"})
        answer = self.api(
            "GET", f"/oauth/authorize?{query}", None, {**basic(user, password), "X-CSRF-Token": "1"}
        )
        assert answer.status == 302, (answer.status, answer.body)
        found = re.search(r"access_token=([^&]+)", answer.headers["location"])
        assert found, answer.headers["location"]
        return found[1]

    def new_project(self, user: str, name: str) -> None:
        """Let the user request a project, of which it becomes the administrator."""
        self.call("POST", REQUESTS, {"metadata": {"name": name}}, bearer(self.log_in(user)))

    def grant(
        self,
        project: str,
        role: str,
        subject: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Bind a cluster role in the project; the binding's path."""
        path = f"{RBAC}/namespaces/{project}/rolebindings"
        binding = {
            "metadata": {"generateName": "grant-"},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [dict(subject)],
        }
        made = self.call("POST", path, binding, headers)
        return f"{path}/{made['metadata']['name']}"

    def personal_token(self, user: str) -> tuple[str, str]:
        """A personal token and its name."""
        made = self.call(
            "POST", OWN_TOKENS, {"description": "of a test"}, bearer(self.log_in(user))
        )
        return made["status"]["token"], made["metadata"]["name"]

    def robot_token(self, project: str, name: str) -> str:
        """The token of a new robot."""
        path = f"/api/v1/namespaces/{project}/serviceaccounts"
        self.call("POST", path, {"metadata": {"name": name}})
        made = self.call("POST", f"{path}/{name}/token", {"spec": {"expirationSeconds": 3600}})
        token: str = made["status"]["token"]
        return token

    def registry_token(self, credentials: Mapping[str, str], *scopes: str) -> str:
        """A registry token for the scopes."""
        query = urlencode([("service", "atomic-registry"), *(("scope", each) for each in scopes)])
        with RegistryClient(self.host) as client:
            answer = client.request("GET", f"{TOKEN_PATH}?{query}", headers=credentials)
        assert answer.status == 200, (answer.status, answer.body)
        token: str = json.loads(answer.body)["token"]
        return token

    def _is_up(self, service: str, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            raise AssertionError(f"{service} ended with {process.returncode}\n{self.output()}")
        try:
            if service != "master":
                self.registry("GET", "/v2/")
            if service != "registry":
                self.api("GET", "/healthz", is_administrator=False)
        except (OSError, http.client.HTTPException):
            return False
        return True


@contextlib.contextmanager
def running_site(directory: Path, **environment: str) -> Iterator[Site]:
    """A started site; on a failure inside, the end of what it printed goes with the exception."""
    directory.mkdir(parents=True, exist_ok=True)
    site = Site(directory, environment)
    try:
        site.start()
        yield site
    except BaseException as error:
        error.add_note(f"--- end of the log ---\n{site.output()[-4000:]}")
        raise
    finally:
        site.stop()
