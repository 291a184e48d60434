"""What access control costs: checking a token on each pull, and making tokens.

`python -m bench.access` measures these alone; `make bench` has them in its report.
"""

import argparse
import base64
import http.client
import json
import re
import ssl
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from bench.data import Tree, make_tree, prepare_tree
from bench.servers import Server, running
from bench.work import manifest_gets

USER = "bench"
_TOKEN_PATH = "/openshift/token"
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
_OWN_TOKENS = "/apis/oauth.openshift.io/v1/useroauthaccesstokens"
_ADMINISTRATOR = {
    "metadata": {"generateName": "bench-"},
    "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "User", "name": USER}],
}


def access_figures(
    server: Server, tree: Tree, work: Path, seconds: int, repeats: int
) -> dict[str, dict[str, object]]:
    """Pulls by tag from one repository, open and with a token, in turn; tokens made per core."""
    repository = tree.manifests(0)[0][0]
    paths = work / "paths-access"
    paths.write_text("\n".join(path for path in tree.paths("tag") if f"/{repository}/" in path))
    is_open: list[float] = []
    checked: list[float] = []
    made: list[float] = []
    root = work / "guarded"
    root.mkdir()
    with running("ours", root, None) as empty:
        prepare_tree(empty, make_tree(1, tree.tags), root)
    with running("guarded", root, None) as guarded:
        secret = personal_token(root)
        wanted = token_path(repository, "pull")
        for _ in range(repeats):
            is_open.append(manifest_gets(server, paths, seconds))
            # Fresh each time: it lives for five minutes.
            bearer = f"Bearer {registry_token(guarded, wanted, secret)}"
            checked.append(manifest_gets(guarded, paths, seconds, bearer))
    tokens = work / "paths-token"
    tokens.write_text(wanted)
    with running("guarded, one worker", root, None) as guarded:
        for _ in range(repeats):
            made.append(manifest_gets(guarded, tokens, seconds, _basic(secret)))
    return {
        "manifest GET, open to all": _figure("requests/s", is_open),
        "manifest GET, with a bearer": _figure("requests/s", checked),
        "registry token, one core": _figure("tokens/s", made),
    }


def _figure(unit: str, runs: list[float]) -> dict[str, object]:
    return {"unit": unit, "median": {"ours": statistics.median(runs)}, "runs": {"ours": runs}}


def token_path(repository: str, actions: str) -> str:
    """The path that gives a registry token for these actions on a repository."""
    query = {"scope": f"repository:{repository}:{actions}", "service": "atomic-registry"}
    return f"{_TOKEN_PATH}?{urlencode(query)}"


def _basic(secret: str) -> str:
    return f"Basic {base64.b64encode(f'{USER}:{secret}'.encode()).decode()}"


def registry_token(server: Server, path: str, secret: str) -> str:
    """What the registry's token endpoint gives for a personal token."""
    connection: http.client.HTTPConnection
    if server.tls:
        trust = ssl._create_unverified_context()  # noqa: SLF001 - own certificate, loopback
        connection = http.client.HTTPSConnection(
            "127.0.0.1", server.port, timeout=10, context=trust
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path, headers={"Authorization": _basic(secret)})
    token: str = json.loads(connection.getresponse().read())["token"]
    connection.close()
    return token


def personal_token(work: Path) -> str:
    """A token of somebody who logs in at the master and becomes an administrator."""
    master = work / "ours" / "master"
    port = master_port(master)
    context = ssl.create_default_context(cafile=str(master / "ca.crt"))
    query = urlencode({"client_id": "openshift-challenging-client", "response_type": "token"})
    login = {"Authorization": _basic("any password"), "X-CSRF-Token": "1"}
    headers, _ = call(port, context, "GET", f"/oauth/authorize?{query}", None, login)
    access = re.search(r"access_token=([^&]+)", headers["location"])
    if access is None:
        raise RuntimeError("nobody could log in")
    asked = {"description": "bench"}
    bearer = {"Authorization": f"Bearer {access[1]}"}
    _, answer = call(port, context, "POST", _OWN_TOKENS, asked, bearer)
    context.load_cert_chain(str(master / "admin.crt"), str(master / "admin.key"))
    call(port, context, "POST", _BINDINGS, _ADMINISTRATOR, {})
    secret: str = json.loads(answer)["status"]["token"]
    return secret


def master_port(master: Path) -> int:
    """The port of the master whose directory this is."""
    found = re.search(r"bindAddress: \S+?:(\d+)", (master / "master-config.yaml").read_text())
    if found is None:
        raise RuntimeError("the master's file names no address")
    return int(found[1])


def call(
    port: int,
    context: ssl.SSLContext,
    method: str,
    path: str,
    body: Mapping[str, object] | None,
    headers: Mapping[str, str],
) -> tuple[dict[str, str], bytes]:
    """One exchange with the master; anything but success fails."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    content = b"" if body is None else json.dumps(body).encode()
    connection.request(method, path, content, {**headers, "Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status >= 400:
        raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]!r}")
    return {name.lower(): value for name, value in response.getheaders()}, answer


def main() -> None:
    """Measures access control alone."""
    parser = argparse.ArgumentParser(prog="python -m bench.access", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seconds a run, not eight")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        work = Path(name)
        tree = make_tree(1, 20)
        with running("ours", work, None) as server:
            prepare_tree(server, tree, work)
            seconds = 2 if arguments.quick else 8
            found = access_figures(server, tree, work, seconds, arguments.repeats)
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
