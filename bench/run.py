"""`make bench`: the same work at this registry, docker-registry and nginx, in turn.

Prints medians and ratios, writes them as JSON. Fails when a server answers wrongly, never for time.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.access import access_figures
from bench.api import FULL as FULL_API
from bench.api import QUICK as QUICK_API
from bench.api import api_figures, api_report, api_table
from bench.data import Tree, make_tree, prepare_blob, prepare_tags, prepare_tree
from bench.servers import KINDS, Certificate, Server, peak_memory, running, self_signed
from bench.work import (
    MIB,
    QUICK,
    Sizes,
    list_tags,
    manifest_gets,
    manifest_heads,
    pull_blobs,
    push_big,
    push_images,
    random_blobs,
    sha256_speed,
)

Piece = tuple[str, str, Callable[[Server], float], bool]
Figures = dict[str, dict[str, object]]


def say(text: str) -> None:
    """Progress goes to stderr, the result to stdout."""
    print(text, file=sys.stderr, flush=True)


def pieces(sizes: Sizes, tree: Tree, blobs: list[tuple[str, int]], work: Path) -> list[Piece]:
    """(name, unit, measurement, also for nginx) of all work except the tag list."""
    found: list[Piece] = []
    for by in ("tag", "digest"):
        paths = work / f"paths-{by}"
        paths.write_text("\n".join(tree.paths(by)) + "\n")

        def gets(server: Server, paths: Path = paths) -> float:
            return manifest_gets(server, paths, sizes.wrk_seconds)

        def heads(server: Server, paths: Path = paths) -> float:
            return manifest_heads(server, paths, sizes.wrk_seconds)

        found.append((f"manifest GET by {by}", "requests/s", gets, True))
        found.append((f"manifest HEAD by {by}", "requests/s", heads, True))
    big, small = blobs[:1], blobs[1:]
    return [
        *found,
        (f"pull {sizes.big_mib} MiB", "MB/s", lambda server: pull_blobs(server, big, 1), True),
        (f"pull {sizes.blobs} x 1 MiB", "MB/s", lambda server: pull_blobs(server, small, 8), True),
        (
            f"push {sizes.big_mib} MiB",
            "MB/s",
            lambda server: push_big(server, sizes.big_mib),
            False,
        ),
        (
            f"push {sizes.images} small images",
            "images/s",
            lambda server: push_images(server, sizes.images),
            False,
        ),
    ]


def measure(
    prefix: str, servers: list[Server], todo: list[Piece], repeats: int, figures: Figures
) -> None:
    """Each piece at each server in turn, `repeats` times over."""
    for name, unit, work, with_nginx in todo:
        chosen = [server for server in servers if with_nginx or server.name != "nginx"]
        runs: dict[str, list[float]] = {server.name: [] for server in chosen}
        for _ in range(repeats):
            for server in chosen:
                runs[server.name].append(work(server))
        medians = {key: statistics.median(values) for key, values in runs.items()}
        figures[prefix + name] = {"unit": unit, "median": medians, "runs": runs}
        say(f"{prefix}{name}: " + "  ".join(f"{key} {value:.1f}" for key, value in medians.items()))


def phase(
    arguments: argparse.Namespace, sizes: Sizes, work: Path, certificate: Certificate | None
) -> tuple[Figures, dict[str, dict[str, int]]]:
    """All work in clear, or all of it in TLS, with servers and data of its own."""
    work.mkdir()
    figures: Figures = {}
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(running(name, work, certificate)) for name in arguments.servers
        ]
        tree = make_tree(sizes.repositories, sizes.tags)
        contents = [*random_blobs(1, sizes.big_mib * MIB), *random_blobs(sizes.blobs, MIB)]
        for server in servers:
            say(f"preparing {server.name}: tree {prepare_tree(server, tree, work):.1f} s")
            for digest, data in contents:
                prepare_blob(server, work, "bench/pull", digest, data)
        blobs = [(f"/v2/bench/pull/blobs/{digest}", len(data)) for digest, data in contents]
        del contents
        prefix = "TLS " if certificate else ""
        todo = pieces(sizes, tree, blobs, work)
        measure(prefix, servers, todo, arguments.repeats, figures)
        if certificate is None:
            count = sizes.listed_tags
            listing = [server for server in servers if server.name != "nginx"]
            names = {server.name: prepare_tags(server, work, count) for server in listing}
            piece: Piece = (
                f"list {count} tags",
                "s",
                lambda server: list_tags(server, names[server.name], count),
                False,
            )
            measure(prefix, listing, [piece], arguments.repeats, figures)
            if "ours" in arguments.servers:
                ours = next(server for server in servers if server.name == "ours")
                found = access_figures(ours, tree, work, sizes.wrk_seconds, arguments.repeats)
                for name, figure in found.items():
                    say(f"{name}: {figure['median']}")
                figures |= found
        memory = {server.name: peak_memory(server) for server in servers}
    shutil.rmtree(work)
    return figures, memory


def ratio(medians: dict[str, float], other: str, unit: str) -> str:
    """How many times better than another server this registry is."""
    if "ours" not in medians or other not in medians:
        return "-"
    one, two = medians["ours"], medians[other]
    return f"{two / one if unit == 's' else one / two:.2f}"


def table(report: dict[str, object]) -> str:
    """The report for people."""
    row = "{:<32} {:>10} {:>12} {:>16} {:>12} {:>10} {:>8}"
    head = row.format(
        "work (median)", "unit", "ours", "docker-registry", "nginx", "x docker", "x nginx"
    )
    lines = [head, "-" * len(head)]
    figures: Figures = report["figures"]  # type: ignore[assignment]  # made by main, below
    for name, figure in figures.items():
        medians: dict[str, float] = figure["median"]  # type: ignore[assignment]  # same
        unit = str(figure["unit"])
        shown = [
            f"{medians[key]:.3g}"
            if medians.get(key, 99) < 10
            else f"{medians[key]:.0f}"
            if key in medians
            else "-"
            for key in KINDS
        ]
        against = [ratio(medians, other, unit) for other in ("docker-registry", "nginx")]
        lines.append(row.format(name, unit, *shown, *against))
    for when, memory in report["memory"].items():  # type: ignore[attr-defined]  # same
        for name, peak in memory.items():
            lines.append(
                f"peak memory {when}, {name}: {peak['sum'] / MIB:.0f} MiB in"
                f" {peak['processes']} processes, the largest {peak['largest'] / MIB:.0f} MiB"
            )
    lines.append(f"SHA-256 of this machine, one core: {report['sha256_mb_s']:.0f} MB/s")
    return "\n".join(lines)


def main() -> None:
    """Runs everything that the machine has servers for."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the benchmark")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--servers", type=lambda text: text.split(","), default=list(KINDS))
    parser.add_argument("--no-tls", action="store_true", help="only in clear")
    parser.add_argument("--no-api", action="store_true", help="without the API of the master")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results.json"))
    parser.add_argument("--work", type=Path, help="directory for the data (default: temporary)")
    arguments = parser.parse_args()
    tools = ["wrk", "openssl", *(name for name in arguments.servers if name != "ours")]
    for tool in (*tools, *(() if arguments.no_api else ("kubectl",))):
        if shutil.which(tool) is None:
            parser.error(
                f"{tool} is not installed: apt-get install wrk docker-registry nginx-light"
                " kubernetes-client"
            )
    sizes = QUICK if arguments.quick else Sizes()
    report: dict[str, object] = {
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release()},
        "python": platform.python_version(),
        "quick": arguments.quick,
        "sha256_mb_s": sha256_speed(),
    }
    with tempfile.TemporaryDirectory(dir=arguments.work, prefix="bench-") as name:
        work = Path(name)
        figures, memory = phase(arguments, sizes, work / "clear", None)
        report |= {"figures": figures, "memory": {"clear": memory}}
        if not arguments.no_tls:
            more, memory_tls = phase(arguments, sizes, work / "tls", self_signed(work))
            report["figures"] = {**figures, **more}
            report["memory"] = {"clear": memory, "TLS": memory_tls}
        tables = [table(report)]
        if not arguments.no_api:
            of_api = api_figures(QUICK_API if arguments.quick else FULL_API, work / "api", say)
            report["api"] = api_report(of_api)
            tables.append(api_table(of_api))
    arguments.output.write_text(json.dumps(report, indent=2) + "\n")
    print("\n\n".join(tables))


if __name__ == "__main__":
    main()
