"""The three servers under measurement: this registry, docker-registry 2.8.2 and nginx."""

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

START_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Paths of a self-signed certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server: its name, address and main process."""

    name: str
    port: int
    tls: bool
    pid: int

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def self_signed(directory: Path) -> Certificate:
    """A fresh P-256 certificate for 127.0.0.1."""
    made = Certificate(certificate=directory / "server.crt", key=directory / "server.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return made


Launch = tuple[list[str], Mapping[str, str]]


def ours(work: Path, port: int, certificate: Certificate | None) -> Launch:
    """This registry open to all, as its peers are, access log off."""
    command = [sys.executable, "-m", "atomic_registry", "serve"]
    command += ["--root", str(work / "ours"), "--registry-listen", f"127.0.0.1:{port}"]
    settings = {"ATOMIC_REGISTRY_LOG_ACCESS": "false", "ATOMIC_REGISTRY_ACCESS_POLICY": "open"}
    if certificate:
        settings["ATOMIC_REGISTRY_HTTP_TLS_CERTIFICATE"] = str(certificate.certificate)
        settings["ATOMIC_REGISTRY_HTTP_TLS_KEY"] = str(certificate.key)
    return command, settings


def guarded(work: Path, port: int, certificate: Certificate | None, *, workers: int = 0) -> Launch:
    """This registry with access control, on what it took in while it was open to all."""
    command, settings = ours(work, port, certificate)
    policy = {
        "ATOMIC_REGISTRY_ACCESS_POLICY": "rbac",
        "ATOMIC_REGISTRY_MASTER_LISTEN": f"127.0.0.1:{free_port()}",
        "ATOMIC_REGISTRY_HTTP_WORKERS": str(workers),
    }
    return command, {**settings, **policy}


def docker_registry(work: Path, port: int, certificate: Certificate | None) -> Launch:
    """Debian's docker-registry: filesystem store, descriptors cached in memory, access log off."""
    lines = [
        "version: 0.1",
        "log: {level: error, accesslog: {disabled: true}}",
        f"storage: {{filesystem: {{rootdirectory: {work / 'docker-registry'}}},"
        " delete: {enabled: true}, cache: {blobdescriptor: inmemory}}",
        "http:",
        f"  addr: 127.0.0.1:{port}",
    ]
    if certificate:
        lines.append(f"  tls: {{certificate: {certificate.certificate}, key: {certificate.key}}}")
    settings = work / f"docker-registry-{port}.yml"
    settings.write_text("\n".join(lines) + "\n")
    return ["docker-registry", "serve", str(settings)], {}


def nginx(work: Path, port: int, certificate: Certificate | None) -> Launch:
    """Static files under the same URLs: the wall for reads."""
    (work / "nginx" / "v2").mkdir(parents=True, exist_ok=True)
    (work / "nginx-run").mkdir(exist_ok=True)
    tls = ""
    if certificate:
        tls = f"ssl_certificate {certificate.certificate}; ssl_certificate_key {certificate.key};"
    settings = work / f"nginx-{port}.conf"
    settings.write_text(
        f"daemon off; pid {work}/nginx-run/{port}.pid; error_log stderr error;\n"
        f"worker_processes auto; {'user root;' if os.geteuid() == 0 else ''}\n"
        "events { worker_connections 1024; }\n"
        "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n"
        f"  client_body_temp_path {work}/nginx-run/body; proxy_temp_path {work}/nginx-run/p;\n"
        f"  fastcgi_temp_path {work}/nginx-run/f; uwsgi_temp_path {work}/nginx-run/u;\n"
        f"  scgi_temp_path {work}/nginx-run/s;\n"
        "  default_type application/vnd.oci.image.manifest.v1+json;\n"
        f"  server {{ listen 127.0.0.1:{port}{' ssl' if tls else ''}; {tls}\n"
        f"    root {work}/nginx; location = /v2/ {{ return 200 '{{}}'; }} }} }}\n"
    )
    return ["nginx", "-c", str(settings), "-p", str(work / "nginx-run")], {}


Launcher = Callable[[Path, int, Certificate | None], Launch]
KINDS: dict[str, Launcher] = {
    "ours": ours,
    "docker-registry": docker_registry,
    "nginx": nginx,
}
_ALL: dict[str, Launcher] = {
    **KINDS,
    "guarded": guarded,
    "guarded, one worker": partial(guarded, workers=1),
}


def _answers(server: Server) -> bool:
    connection: http.client.HTTPConnection
    if server.tls:
        trust = ssl._create_unverified_context()  # noqa: SLF001 - own certificate, loopback
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=2, context=trust)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=2)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status in (200, 401)
        except (OSError, http.client.HTTPException):
            return False


@contextlib.contextmanager
def running(name: str, work: Path, certificate: Certificate | None) -> Iterator[Server]:
    """Starts a server in a session of its own and ends the whole session afterwards."""
    port = free_port()
    command, settings = _ALL[name](work, port, certificate)
    kept = {key: value for key, value in os.environ.items() if not key.endswith("CA_BUNDLE")}
    log = work / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**kept, **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=work,
            start_new_session=True,
        )
    try:
        server = Server(name=name, port=port, tls=certificate is not None, pid=process.pid)
        deadline = time.monotonic() + START_SECONDS
        while not _answers(server):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{name} did not start:\n{tail}")
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(40)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def processes_of(server: Server) -> list[Path]:
    """The directories below /proc of a server's processes."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if entry.name.isdigit() and int(_stat(entry)[3]) == server.pid:
                found.append(entry)
    return found


def _stat(process: Path) -> list[str]:
    """The fields after the name, which may hold anything."""
    return (process / "stat").read_text().rpartition(")")[2].split()


def _status(server: Server, name: str) -> list[int]:
    values = []
    for process in processes_of(server):
        with contextlib.suppress(OSError):
            for line in (process / "status").read_text().splitlines():
                if line.startswith(f"{name}:"):
                    values.append(int(line.split()[1]) * 1024)
    return values


def peak_memory(server: Server) -> dict[str, int]:
    """Peak resident bytes: the sum over the session's processes, and the largest one."""
    peaks = _status(server, "VmHWM")
    return {"sum": sum(peaks), "largest": max(peaks, default=0), "processes": len(peaks)}


def memory_now(server: Server) -> int:
    """Resident bytes of all the session's processes."""
    return sum(_status(server, "VmRSS"))


def cpu_seconds(server: Server) -> float:
    """Processor time that the session's processes have used, in steps of a clock tick."""
    ticks = 0
    for process in processes_of(server):
        with contextlib.suppress(OSError, IndexError):
            ticks += sum(map(int, _stat(process)[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")
