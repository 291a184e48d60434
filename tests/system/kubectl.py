"""kubectl of the machine, unmodified, as a test runs it."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.kit.access import Site
from tests.kit.registry import clean_environment
from tests.system.people import Done

SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """kubectl with a kubeconfig and a home directory of its own."""

    kubeconfig: Path
    home: Path

    def run(self, *words: str, text: str = "", **variables: str) -> Done:
        done = subprocess.run(
            ["kubectl", *words], input=text, capture_output=True, text=True, timeout=SECONDS,
            check=False, env=self._environment(variables), cwd=self.home,
        )  # fmt: skip
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start it, and go on once it has asked for what it waits for."""
        with subprocess.Popen(
            ["kubectl", *words, "-v=6"], env=self._environment({}), cwd=self.home,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stderr is not None
            try:
                for line in process.stderr:
                    if b"200 OK" in line or b"404 Not Found" in line:
                        break
                yield process
            finally:
                process.kill()

    def ok(self, *words: str, text: str = "", **variables: str) -> str:
        done = self.run(*words, text=text, **variables)
        assert done.code == 0, (words, done)
        return done.out

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        own = {"HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig)}
        return clean_environment({"PATH": os.environ["PATH"], **own, **variables})


def administrators_kubectl(site: Site, home: Path) -> Kubectl:
    """Kubectl with the file that the first start of the master wrote."""
    return Kubectl(kubeconfig=site.root / "master" / "admin.kubeconfig", home=home)
