"""The command line `catbot`: instant help, one clear sentence when something is wrong, and no traceback."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot.__main__ import app
from bot.doctor import invite_url
from model.catspeak import is_catspeak

ROOT = Path(__file__).parents[2]
COMMANDS = ["run", "chat", "doctor", "invite"]
HEAVY = {"torch", "transformers", "discord", "aiohttp", "numpy", "huggingface_hub", "model"}

SHOW_MODULES = """
import json, sys
from bot.__main__ import main
sys.argv = ["catbot", *{arguments}]
try:
    main()
except SystemExit as end:
    print(json.dumps({{"code": end.code, "modules": sorted(name for name in sys.modules if "." not in name)}}))
"""


def catbot(*arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(app, arguments, prog_name="catbot", **more)


def process(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, in the test's folder."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        env={"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PATH": "", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


# --- help -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], []], ids=["--help", "nothing"])
def test_help_lists_the_commands(arguments: list[str]) -> None:
    result = catbot(*arguments)
    listed = [line.split()[0] for line in result.output.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    assert [name for name in listed if name in COMMANDS] == COMMANDS


def test_help_is_a_clean_end() -> None:
    assert catbot("--help").exit_code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str) -> None:
    result = catbot(command, "--help")
    assert result.exit_code == 0
    assert f"catbot {command} [OPTIONS]" in result.output
    assert "--env-file" in result.output


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], {*HEAVY, "pydantic", "pydantic_settings"}),
        (["chat", "--help"], {*HEAVY, "pydantic_settings"}),  # typer itself reads options with pydantic
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str], unwanted: set[str]) -> None:
    code = SHOW_MODULES.format(arguments=arguments)
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120, check=True
    ).stdout
    seen = json.loads(output.splitlines()[-1])
    assert seen["code"] == 0
    assert "typer" in seen["modules"]
    assert unwanted & set(seen["modules"]) == set()


def test_an_unknown_command_is_a_usage_error() -> None:
    result = catbot("bark")
    assert result.exit_code == 2
    assert "No such command 'bark'" in result.output


# --- settings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_bad_settings_end_every_command_with_all_of_them_named(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATBOT_MAX_BATCH", "0")
    monkeypatch.setenv("CATBOT_LANGUAGE", "fr")
    result = catbot(command)
    assert result.exit_code == 1
    assert result.stdout == ""
    first, *rest = result.stderr.splitlines()
    assert first == "catbot: these settings need attention:"
    assert [line.split(":")[0].strip() for line in rest] == ["CATBOT_LANGUAGE", "CATBOT_MAX_BATCH"]


def test_bad_settings_show_neither_a_traceback_nor_the_token() -> None:
    result = process("run", CATBOT_DEVICE="gpu", DISCORD_TOKEN="Bot secret.secret.secret")
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 3
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr


def test_another_file_with_settings_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "other.env").write_text("CATBOT_LANGUAGE=fr\n", "utf-8")
    result = catbot("invite", "--env-file", "other.env", "--application-id", "123")
    assert result.exit_code == 1
    assert "CATBOT_LANGUAGE" in result.stderr


# --- invite and doctor ------------------------------------------------------------------------------------------


def test_invite_by_id() -> None:
    result = catbot("invite", "--application-id", "123")
    assert (result.exit_code, result.stdout) == (0, invite_url(123) + "\n")


def test_invite_by_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "MTIz.Gabcde.not-a-real-token")
    result = catbot("invite")
    assert (result.exit_code, result.stdout) == (0, invite_url(123) + "\n")


@pytest.mark.parametrize("token", ["", "tama.is.here"])
def test_invite_without_an_id_says_where_to_find_it(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", token)
    result = catbot("invite")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "--application-id" in line


@pytest.mark.parametrize("number", ["0", "-1", "tama"])
def test_invite_refuses_what_is_no_id(number: str) -> None:
    assert catbot("invite", "--application-id", number).exit_code == 2


def test_a_sound_doctors_report_ends_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATBOT_DEVICE", "cpu")
    result = catbot("doctor")
    assert result.exit_code == 0
    assert [line[:6] for line in result.stdout.splitlines()] == ["[ ok ]", "[ ok ]", "[note]"]


def test_a_bad_finding_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATBOT_CHECKPOINT", "mkie")
    result = catbot("doctor")
    assert result.exit_code == 1
    assert result.stdout.startswith("[bad ] checkpoint: ")


# --- chat -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mkie", "./mkie", "../mkie", "/no/such/folder"])
def test_a_missing_checkpoint_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.logs.set_up_logging", lambda *_, **__: None)  # it would take over this process's logging
    result = catbot("chat", "--checkpoint", name)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("catbot: ")
    assert "mkie" in line or "/no/such/folder" in line


def test_json_lines_through_the_real_command_with_bytes_that_are_not_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.logs.set_up_logging", lambda *_, **__: None)
    monkeypatch.setenv("CATBOT_DEVICE", "cpu")
    given = '{"channel": 1, "text": "ご飯だよ"}\n'.encode() + b'\xff\xfe\n{"channel": 1, "text": "\xff"}\n'
    result = catbot("chat", "--jsonl", input=given)
    assert result.exit_code == 0
    first, bad, last = (json.loads(line) for line in result.stdout.splitlines())
    assert is_catspeak(first["reply"], "ja")
    assert bad["line"] == 2
    assert is_catspeak(last["reply"])


def test_a_conversation_through_the_real_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.logs.set_up_logging", lambda *_, **__: None)
    monkeypatch.setenv("CATBOT_DEVICE", "cpu")
    result = catbot("chat", input="ご飯だよ\n".encode() + b"\xff\xfe\n" + "終了\n".encode())
    assert result.exit_code == 0
    assert [is_catspeak(line) for line in result.stdout.splitlines()] == [True, True]
