"""kubectl of the machine, unmodified, as a test runs it."""

import os
import subprocess
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
        own = {"HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig)}
        environment = clean_environment({"PATH": os.environ["PATH"], **own, **variables})
        done = subprocess.run(
            ["kubectl", *words], input=text, capture_output=True, text=True, timeout=SECONDS,
            check=False, env=environment, cwd=self.home,
        )  # fmt: skip
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def ok(self, *words: str, text: str = "", **variables: str) -> str:
        done = self.run(*words, text=text, **variables)
        assert done.code == 0, (words, done)
        return done.out


def administrators_kubectl(site: Site, home: Path) -> Kubectl:
    """Kubectl with the file that the first start of the master wrote."""
    return Kubectl(kubeconfig=site.root / "master" / "admin.kubeconfig", home=home)
