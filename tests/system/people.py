"""People with a home directory each, who use the command line against running services."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.kit.access import Site
from tests.kit.registry import clean_environment

PASSWORD = "correct-horse-battery"
HELPER = "docker-credential-atomic-registry"
SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    code: int
    out: str
    err: str


@dataclass(slots=True, kw_only=True)
class Person:
    """Somebody with a home directory of their own; everything that they saw is kept."""

    site: Site
    environment: Mapping[str, str]
    home: Path
    seen: list[str] = field(default_factory=list)

    def run(self, *words: str | Path, text: str = "", module: str = "atomic_registry") -> Done:
        return self.run_program(sys.executable, "-m", module, *map(str, words), text=text)

    def run_program(self, *words: str, text: str = "") -> Done:
        done = subprocess.run(
            words, input=text, capture_output=True, text=True, timeout=SECONDS, check=False,
            env=self.environment, cwd=self.home,
        )  # fmt: skip
        self.seen.append(done.stdout + done.stderr)
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def ok(self, *words: str | Path, text: str = "") -> Done:
        done = self.run(*words, text=text)
        assert done.code == 0, (words, done)
        return done

    def log_in(self, name: str) -> Done:
        server = f"https://{self.site.master_host}"
        return self.ok(
            "login", server, "-u", name, "--password-stdin", "--certificate-authority",
            self.site.ca, text=f"{PASSWORD}\n",
        )  # fmt: skip

    def copy(self, source: str, target: str, *more: str) -> Done:
        options = ["--src-tls-verify=false", "--dest-tls-verify=false", *more]
        return self.run_program("skopeo", "--insecure-policy", "copy", *options, source, target)


NewPerson = Callable[[str], Person]


def person_maker(site: Site, tmp_path: Path) -> NewPerson:
    """Return what makes a person; the helper of container clients is on their path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    helper = programs / HELPER
    # As installed, whether or not this environment has the script.
    helper.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m atomic_registry.cli.credential_helper "$@"\n'
    )
    helper.chmod(0o755)

    def make(name: str) -> Person:
        home = tmp_path / name
        home.mkdir()
        environment = clean_environment(
            {
                "HOME": str(home),
                "XDG_RUNTIME_DIR": str(home),
                "TMPDIR": str(home),
                "PATH": f"{programs}:{os.environ['PATH']}",
            }
        )
        dropped = ("KUBECONFIG", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "BROWSER")
        kept = {key: value for key, value in environment.items() if key not in dropped}
        return Person(site=site, environment=kept, home=home)

    return make
