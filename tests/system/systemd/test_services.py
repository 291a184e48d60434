"""The services under a real systemd: what is pushed before something happens can be pulled after."""

import re

import pytest

from tests.kit.optional import run
from tests.kit.registry import wait_until
from tests.system.systemd.conftest import Client, Installed

SERVICES = ("atomic-registry-master", "atomic-registry", "atomic-registry-console")
# systemd-analyze says 10 for a unit without any sandbox, and "OK" up to about 3.
MAX_EXPOSURE = 2.0


def _is_active(installed: Installed, service: str) -> bool:
    return installed.machine.show(f"{service}.service", "ActiveState") == "active"


def test_starting_the_master_starts_the_others_and_all_are_ready(installed: Installed) -> None:
    installed.machine.run("systemctl", "stop", *(f"{it}.service" for it in SERVICES))
    installed.machine.run("systemctl", "start", "atomic-registry-master.service")
    wait_until("all run", lambda: all(_is_active(installed, it) for it in SERVICES), 30)
    for service in SERVICES:
        assert "serving:" in installed.machine.show(f"{service}.service", "StatusText")


@pytest.mark.parametrize("service", SERVICES)
def test_what_was_pushed_before_a_restart_is_pulled_after_it(
    installed: Installed, client: Client, service: str
) -> None:
    client.push(f"demo/restart-{service}:v1")
    installed.machine.run("systemctl", "restart", f"{service}.service")
    client.pull(f"demo/restart-{service}:v1")


@pytest.mark.parametrize("service", SERVICES)
def test_what_was_pushed_before_kill_9_is_pulled_after_it(
    installed: Installed, client: Client, service: str
) -> None:
    client.push(f"demo/killed-{service}:v1")
    before = installed.machine.show(f"{service}.service", "MainPID")
    installed.machine.run("systemctl", "kill", "--signal=KILL", f"{service}.service")
    wait_until(
        f"{service} runs again",
        lambda: (
            installed.machine.show(f"{service}.service", "MainPID") not in (before, "0")
            and _is_active(installed, service)
        ),
        30,
    )
    client.pull(f"demo/killed-{service}:v1")


def test_what_was_pushed_before_a_reboot_is_pulled_after_it(
    installed: Installed, client: Client
) -> None:
    client.push("demo/reboot:v1")
    installed.machine.reboot()
    wait_until("all run", lambda: all(_is_active(installed, it) for it in SERVICES), 30)
    client.pull("demo/reboot:v1")
    client.push("demo/reboot:v2")


def test_what_was_pushed_before_the_power_went_is_pulled_after_it(
    installed: Installed, client: Client
) -> None:
    client.push("demo/power:v1")
    installed.machine.kill()
    installed.machine.boot()
    wait_until("all run", lambda: all(_is_active(installed, it) for it in SERVICES), 30)
    client.pull("demo/power:v1")


def test_the_units_are_clean_and_tightly_sandboxed(installed: Installed) -> None:
    for service in SERVICES:
        done = installed.machine.run(
            "systemd-analyze", "verify", f"{service}.service", f"{service}.socket"
        )
        complaints = [line for line in done.output.splitlines() if "atomic-registry" in line]
        assert complaints == []
        judged = installed.machine.run("systemd-analyze", "security", f"{service}.service").output
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", judged)
        assert found is not None, judged
        print(f"{service}: exposure {found[1]}")
        assert float(found[1]) <= MAX_EXPOSURE, judged


def test_the_user_of_the_registry_cannot_read_the_keys_of_the_master(installed: Installed) -> None:
    # Of whom nothing but the rights is asked: the sandbox of the unit comes on top.
    master = "/etc/atomic-registry/master"
    secrets = ["ca.key", "master.server.key", "admin.key", "admin.kubeconfig"]
    for user in ("atomic-registry", "atomic-registry-console"):
        for name in [*secrets, "session-secrets.yaml"]:
            assert installed.machine.path(f"{master}/{name}").exists()
            done = installed.machine.run(
                "setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                "cat", f"{master}/{name}", check=False,
            )  # fmt: skip
            assert done.code != 0 and "Permission denied" in done.output


def test_the_console_says_where_the_others_are(installed: Installed, client: Client) -> None:
    page = run(
        ["curl", "--silent", "--show-error", "--fail", "--cacert", installed.authority,
         f"https://localhost:{installed.console_port}/"],
        environment={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert f"localhost:{installed.registry_port}" in page
    assert f"https://localhost:{installed.master_port}" in page


def test_a_worker_that_stands_still_has_its_service_restarted(installed: Installed) -> None:
    unit = "atomic-registry-console.service"
    drop_in = installed.machine.path(f"/etc/systemd/system/{unit}.d/watchdog.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nWatchdogSec=6\n")
    try:
        installed.machine.run("systemctl", "daemon-reload")
        installed.machine.run("systemctl", "restart", unit)
        main = installed.machine.show(unit, "MainPID")
        worker = installed.machine.run("pgrep", "-P", main).output.split()[0]
        installed.machine.run("kill", "-STOP", worker)
        wait_until(
            "the service is another one and runs",
            lambda: (
                installed.machine.show(unit, "MainPID") not in (main, "0")
                and _is_active(installed, "atomic-registry-console")
            ),
            40,
        )
        assert "worker stands still" in installed.machine.journal(unit)
    finally:
        drop_in.unlink()
        drop_in.parent.rmdir()
        installed.machine.run("systemctl", "daemon-reload")
