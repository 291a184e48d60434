"""What the master's API takes with 100,000 image streams in 1,000 projects and 10,000 bindings.

`python -m bench.api` measures it alone; `make bench` has it in its report.
"""

import argparse
import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bench.access import master_port
from bench.decisions import decision_seconds
from bench.generate import Amounts, fill, project_name, user_name
from bench.servers import Server, cpu_seconds, running, self_signed
from bench.watching import Master, master_of, watch_figures

STREAMS = "/apis/image.openshift.io/v1"
PROJECTS = "/apis/project.openshift.io/v1/projects"
_TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
_PAGE = 500
_OF_PROCESSOR = "  processor time of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSizes:
    """How much is generated and how often each thing is measured."""

    amounts: Amounts
    watches: int = 1000
    commands: int = 11
    pages: int = 40
    pushes: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFigure:
    """One line of the report; `aim` is what was promised for the full sizes."""

    name: str
    unit: str
    runs: list[float]
    aim: str = ""

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.runs)

    @property
    def high(self) -> float:
        """The 95th percentile."""
        if len(self.runs) == 1:
            return self.runs[0]
        return statistics.quantiles(self.runs, n=20, method="inclusive")[-1]


FULL = ApiSizes(amounts=Amounts())
QUICK = ApiSizes(
    amounts=Amounts(streams=2000, projects=50, large=600, tags=1000, bindings=500, users=50),
    watches=100,
    commands=5,
    pages=10,
    pushes=2,
)


def api_figures(sizes: ApiSizes, work: Path, say: Callable[[str], None]) -> list[ApiFigure]:
    """All of it, on a root that is made below `work`, or lies there from an earlier run."""
    root = work / "ours"
    work.mkdir(exist_ok=True)
    if not root.exists():
        start = time.monotonic()
        fill(root, sizes.amounts)
        say(f"API: {sizes.amounts.streams} streams made in {time.monotonic() - start:.0f} s")
    found: list[ApiFigure] = []
    with running("guarded", work, self_signed(work)) as server:
        master = master_of(root / "master", master_port(root / "master"))
        for figure in _with_server(server, master, work, sizes):
            say(f"API: {figure.name}: {figure.median:.3g} {figure.unit}")
            found.append(figure)
    return found + _decisions(root, sizes.amounts)


def _with_server(
    server: Server, master: Master, work: Path, sizes: ApiSizes
) -> Iterator[ApiFigure]:
    yield from _commands(work, sizes)
    yield from _pages(server, master, sizes)
    yield _all_streams(master, sizes)
    yield from _watches(server, master, work, sizes)


def _commands(work: Path, sizes: ApiSizes) -> Iterator[ApiFigure]:
    python = [sys.executable, "-m", "atomic_registry"]
    projects = sizes.amounts.projects
    commands = [
        ("kubectl version --client", ["kubectl", "version", "--client"], ""),
        ("kubectl get of an empty list", ["kubectl", "get", "pods"], ""),
        (f"kubectl get projects ({projects})", ["kubectl", "get", "projects"], "< 0.3"),
    ]
    for number, held in ((0, f"{sizes.amounts.large} streams"), (1, f"{sizes.amounts.tags} tags")):
        name = project_name(number)
        line = ["kubectl", "get", "is", "-n", name]
        commands.append((f"kubectl get is, project of {held}", line, "< 0.3"))
    commands.append(("python -c pass", [sys.executable, "-c", "pass"], ""))
    commands.append(("atomic-registry --help", [*python, "--help"], "< 0.15"))
    commands.append(("atomic-registry whoami", [*python, "whoami"], "< 0.15"))
    kubeconfig = work / "ours" / "master" / "admin.kubeconfig"
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(work)}
    for name, command, aim in commands:
        runs = [_run(command, environment) for _ in range(sizes.commands + 1)]
        # The first one fills kubectl's cache of what there is.
        yield ApiFigure(name=name, unit="s", runs=[wall for wall, _ in runs[1:]], aim=aim)
        used = [processor for _, processor in runs[1:]]
        yield ApiFigure(name=_OF_PROCESSOR, unit="s", runs=used)


def _run(command: list[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """The seconds that a command takes, on the clock and of the processor."""
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - start, used


class _Client:
    """One connection of the administrator, kept open."""

    def __init__(self, master: Master) -> None:
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", master.port, context=master.context, timeout=60
        )

    def get(self, path: str, headers: Mapping[str, str]) -> bytes:
        self._connection.request("GET", path, headers=dict(headers))
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"GET {path}: {response.status} {body[:300]!r}")
        return body

    def close(self) -> None:
        self._connection.close()


def _pages(server: Server, master: Master, sizes: ApiSizes) -> Iterator[ApiFigure]:
    one = f"{STREAMS}/namespaces/{project_name(0)}/imagestreams?limit={_PAGE}"
    middle = f"{STREAMS}/imagestreams?limit={_PAGE}"
    body = _Client(master).get(middle, {})
    after = quote(json.loads(body)["metadata"]["continue"])
    someone = {"Impersonate-User": user_name(5)}
    for name, path, headers in (
        (f"page of {_PAGE} streams, JSON", one, {}),
        (f"page of {_PAGE} streams, table", one, _TABLE),
        (f"page of {_PAGE}, all projects, JSON", f"{middle}&continue={after}", {}),
        (f"page of {_PAGE}, all projects, table", f"{middle}&continue={after}", _TABLE),
        ("all projects, table", PROJECTS, _TABLE),
        ("projects of one user, table", PROJECTS, {**_TABLE, **someone}),
    ):
        client = _Client(master)
        client.get(path, headers)
        before, runs = cpu_seconds(server), []
        for _ in range(sizes.pages):
            start = time.monotonic()
            client.get(path, headers)
            runs.append(1000 * (time.monotonic() - start))
        used = 1000 * (cpu_seconds(server) - before) / sizes.pages
        client.close()
        aim = "< 50" if name.startswith("page") else ""
        yield ApiFigure(name=name, unit="ms", runs=runs, aim=aim)
        yield ApiFigure(name=_OF_PROCESSOR, unit="ms", runs=[used])


def _all_streams(master: Master, sizes: ApiSizes) -> ApiFigure:
    client, start, count, after = _Client(master), time.monotonic(), 0, ""
    while True:
        body = client.get(f"{STREAMS}/imagestreams?limit={_PAGE}&continue={after}", {})
        page = json.loads(body)
        count += len(page["items"])
        after = quote(page["metadata"].get("continue", ""))
        if not after:
            break
    client.close()
    if count < sizes.amounts.streams:
        raise RuntimeError(f"{count} streams in the pages instead of {sizes.amounts.streams}")
    taken = time.monotonic() - start
    return ApiFigure(name=f"all {count} streams by pages", unit="s", runs=[taken])


def _watches(server: Server, master: Master, work: Path, sizes: ApiSizes) -> Iterator[ApiFigure]:
    count, project = sizes.watches, project_name(0)
    found = watch_figures(server, master, work, project, count, sizes.pushes)
    without, idle = found["idle"]
    yield ApiFigure(name="processor, no watches", unit="%", runs=[without])
    yield ApiFigure(name=f"processor, {count} idle watches", unit="%", runs=[idle])
    yield ApiFigure(name=f"memory of {count} watches", unit="MB", runs=found["memory"], aim="< 100")
    yield ApiFigure(name="push to the first event", unit="s", runs=found["first"], aim="< 0.2")
    name = f"push to the last of {count} events"
    yield ApiFigure(name=name, unit="s", runs=found["last"], aim="< 0.5")


def _decisions(root: Path, amounts: Amounts) -> list[ApiFigure]:
    found = {
        name: [1e6 * it for it in runs] for name, runs in decision_seconds(root, amounts).items()
    }
    bindings = f"{amounts.bindings} bindings"
    return [
        ApiFigure(name=f"decision, {bindings}, warm", unit="us", runs=found["warm"], aim="< 20"),
        ApiFigure(name=f"decision, {bindings}, cold", unit="us", runs=found["cold"]),
        ApiFigure(name="directory of rights, from disk", unit="us", runs=found["load"]),
    ]


def api_table(figures: list[ApiFigure]) -> str:
    """The figures for people."""
    row = "{:<44} {:>6} {:>10} {:>10} {:>8}"
    head = row.format("API", "unit", "median", "p95", "aim")
    lines = [head, "-" * len(head)]
    for it in figures:
        lines.append(row.format(it.name, it.unit, f"{it.median:.3g}", f"{it.high:.3g}", it.aim))
    return "\n".join(lines)


def api_report(figures: list[ApiFigure]) -> dict[str, dict[str, object]]:
    """The figures for programs."""
    found: dict[str, dict[str, object]] = {}
    work = ""
    for it in figures:
        work = work if it.name == _OF_PROCESSOR else it.name
        known = {"unit": it.unit, "median": it.median, "p95": it.high, "runs": it.runs}
        if it.name == _OF_PROCESSOR:
            found[work]["processor"] = known
        else:
            found[work] = {**known, "aim": it.aim}
    return found


def main() -> None:
    """Measures the API alone."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the benchmark")
    parser.add_argument("--work", type=Path, help="where `ours` is a generated root; default: made")
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else FULL
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        work = arguments.work or Path(name)
        figures = api_figures(sizes, work, lambda text: print(text, file=sys.stderr, flush=True))
    print(api_table(figures))


if __name__ == "__main__":
    main()
