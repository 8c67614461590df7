"""Keys and tokens are found, and what courses are full of is none."""

import socket

import pytest
from staff_notebooks import code, notebook

from syncd.guards import secrets
from syncd.guards.secrets import secret_in

# In two parts, so that no scanner stumbles over this very file.
KEYS = {
    "GitHub Token": "ghp" + "_0123456789abcdefghijABCDEFGHIJ012345",
    "AWS Access Key": "AKIA" + "Q3EGRDKQNOZ7LW2P",
    "Private Key": "-----BEGIN RSA PRIVATE" + " KEY-----",
    "Slack Token": "xoxb" + "-123456789012-abcdefghijkl",
    "OpenAI Token": "sk-" + "Ab3Cd4Ef5Gh6Ij7Kl8Mn" + "T3BlbkFJ" + "Ab3Cd4Ef5Gh6Ij7Kl8Mn",
    "Telegram Bot Token": "110201543:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1",
    "Basic Auth Credentials": "https://ann:" + "rY7hq2@example.net/data",
}


@pytest.mark.parametrize(("kind", "key"), KEYS.items(), ids=KEYS)
def test_a_key_is_found_in_scripts_and_notebooks_without_a_network(
    kind: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", None)
    assert secret_in(f"token = '{key}'\n".encode()) == kind
    assert secret_in(notebook(code("import os"), code(f"x = '{key}'"), code("y", output=key))) == kind


def test_a_fine_grained_token_is_found() -> None:
    assert secret_in(b"github" + b"_pat_11ABCDEFG0123456789abc_" + b"x" * 59) == "GitHub Token"


@pytest.mark.parametrize(
    "text",
    [
        "password = 'correct horse'",
        "api_key = os.environ['API_KEY']",
        "AKIAIOSFODNN7" + "EXAMPLE",
        "https://user:password@host/",
        "https://{user}:{token}@github.com/",
        "sha = '0123456789abcdef0123456789abcdef01234567'",
        "192.168.0.1, 8.8.8.8",
        "0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "iVBORw0KGgoAAAANSUhEUgAA" + "AKIAQ3EGRDKQNOZ7LW2P" * 100,
    ],
)
def test_placeholders_data_and_pictures_are_no_keys(text: str) -> None:
    assert secret_in(text.encode()) is None


def test_binaries_are_not_looked_into() -> None:
    assert secret_in(b"\0" + KEYS["GitHub Token"].encode()) is None


@pytest.mark.parametrize("before", [0, 1, 40, 90, 200])
def test_a_token_is_found_wherever_a_large_text_is_divided(before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_PIECE", 64)
    token = KEYS["GitHub Token"].encode()
    assert (
        secrets.secret_in(b"x" * before + b"\n" + b"a line\n" * 9 + b"key = " + token + b"\nmore\n") == "GitHub Token"
    )
    assert secrets.secret_in(b"x" * before + b"\n" + b"a line\n" * 9) is None
