"""The audit file: what belongs into it, and how it is turned over."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from tests.kit.clock import ManualClock

from atomic_registry.web.audit import AuditFile, AuditLimits

LINE = {"method": "POST", "path": "/x" * 40, "status": 201}


def _limits(*, size: int = 0, files: int = 0, days: int = 0) -> AuditLimits:
    return AuditLimits(max_bytes=size, kept_files=files, kept_days=days)


@pytest.mark.parametrize(
    ("method", "status", "is_wanted"),
    [("POST", 201, True), ("DELETE", 404, True), ("GET", 403, True), ("GET", 401, True),
     ("GET", 200, False), ("HEAD", 404, False)],
)  # fmt: skip
def test_changes_and_refusals_are_recorded(method: str, status: int, is_wanted: bool) -> None:
    assert AuditFile.wants(method, status) is is_wanted


def test_a_full_file_is_turned_over_and_no_line_of_two_writers_is_lost(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "audit.log"
    writers = [AuditFile(path, _limits(size=500), clock) for _ in range(2)]
    for number in range(40):
        clock.advance(timedelta(seconds=1))
        writers[number % 2].write({**LINE, "number": number})
    for writer in writers:
        writer.close()
    files = [*sorted(tmp_path.glob("audit.log-*")), path]
    assert len(files) > 5
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert [line["number"] for line in lines] == list(range(40))
    assert all(line["timestamp"] for line in lines)


def test_only_so_many_former_files_are_kept_and_none_that_is_too_old(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "audit.log"
    audit = AuditFile(path, _limits(size=1, files=2), clock)
    for _ in range(5):
        clock.advance(timedelta(seconds=1))
        audit.write(LINE)
    audit.close()
    assert len(list(tmp_path.glob("audit.log-*"))) == 2
    aged = AuditFile(path, _limits(size=1, days=3), clock)
    clock.advance(timedelta(days=36500))
    aged.write(LINE)
    aged.close()
    assert list(tmp_path.glob("audit.log-*")) == []


def test_a_file_that_logrotate_moved_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    audit = AuditFile(path, _limits(), ManualClock())
    path.rename(tmp_path / "moved")
    audit.write(LINE)
    audit.close()
    assert json.loads(path.read_text())["status"] == 201
