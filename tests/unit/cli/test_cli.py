"""The command line in process: help, exit codes, and the form of errors."""

import sys
from pathlib import Path

import pytest
import yaml

from atomic_registry.cli.main import COMMANDS, main


def _run(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["atomic-registry", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    "command", [[], *([name] for name in COMMANDS), ["config", "show"], ["config", "check"]]
)
def test_every_help_has_an_example(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _run([*command, "--help"], monkeypatch, capsys)
    assert code == 0
    assert (
        f"atomic-registry {' '.join(command)}".strip() in out.split("Usage:")[1].split("\n", 1)[1]
    )


def test_a_wrong_option_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _run(["serve", "--rot", "x"], monkeypatch, capsys)
    assert code == 2
    assert "--root" in err


def test_wrong_settings_end_with_all_mistakes_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text("htp: {}\nlog: {level: loud}\n")
    code, _, err = _run(["serve", "--root", str(tmp_path)], monkeypatch, capsys)
    assert code == 1
    assert err.startswith("error: 2 settings are wrong:")
    assert "did you mean http" in err
    assert "Traceback" not in err


def test_config_show_says_where_a_value_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATOMIC_REGISTRY_LOG_LEVEL", "debug")
    code, out, _ = _run(
        ["config", "show", "--origin", "--root", str(tmp_path)], monkeypatch, capsys
    )
    assert code == 0
    assert "log.level: debug  # environment ATOMIC_REGISTRY_LOG_LEVEL" in out


def test_config_sample_is_yaml(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _run(["config", "sample"], monkeypatch, capsys)
    assert code == 0
    assert "http" in yaml.safe_load(out)


def test_config_check_accepts_good_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _run(["config", "check", "--root", str(tmp_path)], monkeypatch, capsys)
    assert (code, out) == (0, "the settings are fine\n")
