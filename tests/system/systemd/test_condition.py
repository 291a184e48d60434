"""`status` and `doctor` on an installed machine, as root: all is well, and a stopped service is not."""

import json

from tests.system.systemd.conftest import Installed


def test_status_tells_of_units_and_certificates(installed: Installed) -> None:
    done = installed.machine.run("atomic-registry", "status", "-o", "json", check=False)
    told = json.loads(done.output)
    assert (0, "healthy") == (done.code, told["condition"]), done.output
    assert ["master", "registry", "console"] == [it["name"] for it in told["services"]]
    assert all(it["unit"].startswith("active since ") for it in told["services"])
    of = [it["service"] for it in told["certificates"]]
    assert ["authority", "master", "registry", "console"] == of
    assert all(it["days"] > 300 for it in told["certificates"])
    assert told["storage"]["projects"] >= 1 and not told["storage"]["fault"]


def test_the_doctor_goes_the_whole_way_as_the_administrator(installed: Installed) -> None:
    done = installed.machine.run("atomic-registry", "doctor", "--admin", "-o", "json", check=False)
    told = json.loads(done.output)
    assert (0, "") == (done.code, told["failedHop"]), done.output
    assert {"ok"} == {check["state"] for check in told["checks"]}, done.output
    hops = {check["hop"] for check in told["checks"]}
    assert {"tls", "push", "pull", "delete", "api", "storage", "cleanup"} <= hops


def test_a_stopped_registry_is_degraded_and_its_unit_says_why(installed: Installed) -> None:
    units = ("atomic-registry.socket", "atomic-registry.service")
    installed.machine.run("systemctl", "stop", *units)
    try:
        status = installed.machine.run("atomic-registry", "status", "-o", "json", check=False)
        doctor = installed.machine.run(
            "atomic-registry", "doctor", "--admin", "-o", "json", check=False
        )
    finally:
        installed.machine.run("systemctl", "start", *units)
    told = json.loads(status.output)
    registry = next(it for it in told["services"] if it["name"] == "registry")
    assert (1, "degraded", "inactive") == (status.code, told["condition"], registry["unit"])
    assert "connection" == json.loads(doctor.output)["failedHop"]
