"""`syncd login` and `logout`: what is stored where, what is said, and that no token shows anywhere."""

import asyncio
import json
import os
import pty
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from commands import READ_TOKEN, TOKEN, Person, one_sentence
from sign_in_host import CLIENT_ID, SignInHost

from syncd.demo.gitserver import GitServer
from syncd.publisher.credentials import Credentials

KEYRING = {"PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring"}
pytestmark = pytest.mark.slow


async def test_a_token_from_standard_input_is_checked_and_kept_for_its_owner(server: GitServer, person: Person) -> None:
    done = await person.does("login", server.url("ada/course"), given=TOKEN + "\n")
    assert done.returncode == 0, done.stderr
    assert "may read and write ada/course" in done.stdout and "only you can read" in done.stdout
    assert stat.S_IMODE((person.state / "tokens.json").stat().st_mode) == 0o600
    assert TOKEN not in done.stdout + done.stderr
    assert Credentials(person.state).token(server.url("ada/course")) == TOKEN
    assert (await person.does("logout", server.url("ada/course"))).returncode == 0
    assert Credentials(person.state).token(server.url("ada/course")) is None
    assert "no token" in one_sentence(await person.does("logout", server.url("ada/course")))


async def test_tokens_that_will_not_do_are_refused_in_one_sentence(
    server: GitServer, person: Person, tmp_path: Path
) -> None:
    url = server.url("ada/course")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for given, arguments, words in [
        ("wrong", [url], "does not accept the token"),
        (READ_TOKEN, [url], "may read ada/course but not write"),
        (TOKEN, [server.url("ada/none")], "no repository"),
        ("", [url], "No token was given"),
        ("two words", [url], "not a token"),
        (TOKEN, [], "Say which repository"),
        ("", [url, "--token-file", tmp_path / "none"], "can't be read"),
        ("", [url, "--token-file", tmp_path / "binary"], "can't be read"),
        ("", [url, "--git"], "have nothing for"),
        ("", [url, "--device"], "client id"),
        ("", [url, "--device", "--git"], "Choose one"),
        (TOKEN, ["https://me:secret@github.com/a/b"], "leave that out"),
    ]:
        done = await person.does("login", *arguments, given=given)
        assert words in one_sentence(done), (arguments, done.stderr)
        assert TOKEN not in done.stderr and READ_TOKEN not in done.stderr
        assert not (person.state / "tokens.json").exists()


async def test_a_real_keyring_is_preferred_and_one_of_plain_text_is_not(server: GitServer, person: Person) -> None:
    url = server.url("ada/course")
    done = await person.asks("login", url, "--token-file", _file(person, TOKEN), **KEYRING)
    assert done["kept"] == "keyring" and done["writes"] is True
    assert TOKEN not in (person.state / "tokens.json").read_text()
    assert TOKEN in (person.home / "keyring.json").read_text()
    added = await person.does("add", person.folder, url, **KEYRING)
    assert added.returncode == 0, added.stderr
    locked = await person.does("login", url, given=READ_TOKEN, KEYRING_LOCKED="1", **KEYRING)
    assert "not write" in one_sentence(locked)
    assert "unlock it" in one_sentence(await person.does("add", person.home / "b", url, KEYRING_LOCKED="1", **KEYRING))
    assert (await person.does("logout", url, **KEYRING)).returncode == 0
    assert TOKEN not in (person.home / "keyring.json").read_text()
    plain = await person.asks(
        "login", url, "--token-file", _file(person, TOKEN), PYTHON_KEYRING_BACKEND="file_keyring.PlainKeyring"
    )
    assert plain["kept"] == "file"


async def test_a_token_for_a_host_holds_for_its_repositories_only(server: GitServer, person: Person) -> None:
    assert (await person.does("login", server.base, given=TOKEN)).returncode == 0
    credentials = Credentials(person.state)
    assert credentials.token(server.url("ada/course")) == TOKEN
    assert credentials.token(f"http://127.0.0.1:{server.port + 1}/ada/course") is None
    assert credentials.token(server.base.replace("http:", "https:") + "/ada/course") is None
    assert credentials.token("git@127.0.0.1:ada/course") is None


async def test_signing_in_with_a_code_says_what_the_token_may_do(
    server: GitServer, person: Person, host: SignInHost
) -> None:
    host.scopes = "repo, gist"
    asked = ["login", server.url("ada/course"), "--client-id", CLIENT_ID, "--login-url", host.url]
    done = await person.does(*asked, "--api-url", f"{host.url}/api/v3")
    assert done.returncode == 0, done.stderr
    assert "WDJB-MJHT" in done.stderr and f"{host.url}/login/device" in done.stderr
    assert "read and write ada/course. It belongs to ada. It holds for all repositories" in done.stdout
    assert "It expires on 2031-05-06." in done.stdout
    host.story = ["access_denied"]
    (await person.does("config", "github.client-id", CLIENT_ID)).check_returncode()
    refused = await person.does("login", server.url("ada/course"), "--device", "--login-url", host.url)
    assert "declined" in refused.stderr.splitlines()[-1] and refused.returncode == 1
    assert Credentials(person.state).token(server.url("ada/course")) == TOKEN


async def test_an_apps_token_is_renewed_before_it_ends(server: GitServer, person: Person, host: SignInHost) -> None:
    host.story, host.renewable_for = ["granted"], 60  # ends within the five minutes before which it is renewed
    url = server.url("ada/course")
    done = await person.does("login", url, "--client-id", CLIENT_ID, "--login-url", host.url, **KEYRING)
    assert done.returncode == 0, done.stderr
    host.token, host.renewable_for = "second-token", 28800
    server.tokens["write"].add("second-token")
    server.tokens["write"].discard(TOKEN)
    done = await person.does("add", person.folder, url, **KEYRING)
    assert done.returncode == 0, done.stderr
    assert "second-token" in (person.home / "keyring.json").read_text()


async def test_what_gits_helpers_have_is_used_and_nobody_is_asked(server: GitServer, person: Person) -> None:
    helper = f'!f() {{ test "$1" = get && echo username=ada && echo password={TOKEN}; }}; f'
    (person.home / ".gitconfig").write_text(f'[credential "{server.base}"]\n\thelper = {json.dumps(helper)}\n')
    url = server.url("ada/course")
    assert (await person.asks("login", url, "--git"))["kept"] == "git"
    assert TOKEN not in (person.state / "tokens.json").read_text()
    assert (await person.does("logout", url)).returncode == 0
    added = await person.does("add", person.folder, url)  # finds it by itself
    assert added.returncode == 0, added.stderr
    assert Credentials(person.state).kept(url) == "git"


async def test_a_running_publisher_takes_a_new_token_up_at_once(server: GitServer, person: Person) -> None:
    url = server.url("ada/course")
    (person.folder / "a").write_text("1")
    (await person.does("add", person.folder, url, "--token-file", _file(person, TOKEN))).check_returncode()
    process = person.publish()
    await person.until_published()
    server.tokens["write"] = {"next-token"}
    (person.folder / "a").write_text("2")
    await person.until_published("needs_you")
    (await person.does("login", given="next-token")).check_returncode()
    await person.until_published()  # asked again by itself only after five minutes
    for secret in (TOKEN, "next-token"):
        for part in ("cmdline", "environ"):
            assert secret.encode() not in Path(f"/proc/{process.pid}/{part}").read_bytes()
        for path in person.state.rglob("*"):
            if path.is_file() and path.name not in ("tokens.json",):
                assert secret.encode() not in path.read_bytes(), path
    said = person.end(process)
    assert TOKEN not in said and "next-token" not in said


async def test_a_typed_token_is_not_shown(server: GitServer, person: Person) -> None:
    code, shown = await asyncio.to_thread(_typed, person, server.url("ada/course"))
    assert code == 0
    assert b"may read and write" in shown and TOKEN.encode() not in shown


def _typed(person: Person, url: str) -> tuple[int, bytes]:
    """Log in at a terminal; how that ended, and all that the terminal showed."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "syncd", "login", url]
    process = subprocess.Popen(argv, env=person.env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown, typed = b"", False
    with os.fdopen(ours, "r+b", buffering=0) as terminal, suppress(OSError):  # Linux: EIO when the other side ends
        while more := terminal.read(4096):
            shown += more
            if b"Token:" in shown and not typed:
                typed = True
                terminal.write(f"{TOKEN}\n".encode())
    return process.wait(20), shown


def _file(person: Person, token: str) -> Path:
    path = person.home / "token"
    path.write_text(token)
    return path
