"""Judges a conformance run: any failure, and any skip that is not expected, fails it."""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

MINIMUM_TESTS = 750

# Skips that a registry as complete as the specification allows also has, with the reason, by the
# name of the run.
_TOKENS = "a registry token names its repositories, so that a mount from any of them will not do"
EXPECTED_SKIPS: dict[str, dict[str, str]] = {
    "rbac": {
        f"{algorithm} blobs/mount anonymous/blob-mount-anonymous": _TOKENS
        for algorithm in ("sha256", "sha512")
    }
}


def main(results: Path, status: int) -> int:
    """Prints the summary; the exit status of the run."""
    report = results / "junit.xml"
    if not report.exists():
        print((results / "output.txt").read_text()[-3000:])
        print(f"conformance: the tool left no report (exit status {status})")
        return 1
    expected = EXPECTED_SKIPS.get(results.name, {})
    counts: dict[str, int] = {}
    bad: list[str] = []
    for case in ET.parse(report).iter("testcase"):
        state = case.get("status", "unknown")
        name = case.get("name", "").removeprefix("OCI Conformance Test/")
        counts[state] = counts.get(state, 0) + 1
        if state == "passed" or (state == "skipped" and name in expected):
            continue
        why = " ".join((case.findtext("system-out") or "").split())[:200]
        bad.append(f"  {state}: {name}: {why}")
    print(
        "conformance:", ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
    )
    print("\n".join([*(f"  expected skip: {name}: {why}" for name, why in expected.items()), *bad]))
    if sum(counts.values()) < MINIMUM_TESTS:
        print(f"conformance: fewer than {MINIMUM_TESTS} checks ran")
        return 1
    print(f"conformance: report in {results}")
    return 1 if bad or status else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
