"""The command line in process: help, exit codes, and the form of errors."""

import sys
from pathlib import Path

import click
import pytest
import yaml

from atomic_registry.cli.client import Answer
from atomic_registry.cli.condition.services import describe_unready
from atomic_registry.cli.main import COMMANDS, main, root


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
    assert code == 78
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


def test_the_list_of_commands_is_that_of_the_commands() -> None:
    context = click.Context(root)
    for name, entry in COMMANDS.items():
        command = root.get_command(context, name)
        assert command is not None and name == command.name
        assert entry.help.endswith(".") and entry.help.count(".") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _run(["completion", shell], monkeypatch, capsys)
    assert code == 0
    assert f"_ATOMIC_REGISTRY_COMPLETE={shell}_complete" in out


def test_completion_knows_commands_and_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_ATOMIC_REGISTRY_COMPLETE", "bash_complete")
    for words, found in (("gro", "plain,groups"), ("groups sync --con", "plain,--confirm")):
        monkeypatch.setenv("COMP_WORDS", f"atomic-registry {words}")
        monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
        code, out, _ = _run([], monkeypatch, capsys)
        assert (0, f"{found}\n") == (code, out)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"database":"it is gone","storage":"ok","identity":"x"}', "not ready: database: it is"),
        (b"nonsense", "not ready: it answered 503"),
    ],
)
def test_a_service_that_is_not_ready_is_quoted(body: bytes, said: str) -> None:
    assert describe_unready(Answer(status=503, headers={}, body=body)).startswith(said)
