"""Records as they go to systemd's journal, at a socket of the test's own; tests/systemd has the real one."""

import logging
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.cli.journal import JournalHandler, goes_to_journal
from syncd.log_fields import about

Fields = dict[str, bytes]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "j"))
        door.settimeout(5)
        yield door


@pytest.fixture
def logger(journal: socket.socket, tmp_path: Path) -> Iterator[logging.Logger]:
    logger = logging.getLogger("syncd.test_journal")
    handler = JournalHandler(logging.Formatter("%(levelname)s %(message)s"), str(tmp_path / "j"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.removeHandler(handler)


def received(journal: socket.socket) -> Fields:
    data, fds, _, _ = socket.recv_fds(journal, 1 << 20, 1)
    if fds:
        with os.fdopen(fds[0], "rb") as file:
            file.seek(0)
            data = file.read()
    found: Fields = {}
    while data:
        name, sign, rest = data.partition(b"\n") if b"=" not in data.partition(b"\n")[0] else (*data.partition(b"="),)
        if sign == b"=":
            value, _, data = rest.partition(b"\n")
        else:
            (size,) = struct.unpack("<Q", rest[:8])
            value, data = rest[8 : 8 + size], rest[9 + size :]
        found[name.decode()] = value
    return found


def test_record_says_what_it_is_about(journal: socket.socket, logger: logging.Logger) -> None:
    log = about(logger, course="ds8", user="ada")
    log.warning("%s: late", "ds8", extra={"commit": "a" * 40})
    found = received(journal)
    assert (found["MESSAGE"], found["PRIORITY"]) == (b"ds8: late", b"4")
    assert (found["COURSE"], found["SYNCD_USER"], found["COMMIT"]) == (b"ds8", b"ada", b"a" * 40)
    assert found["CODE_FILE"] == __file__.encode() and found["CODE_FUNC"] == b"test_record_says_what_it_is_about"
    assert "FOLDER" not in found and found["LOGGER"] == b"syncd.test_journal"


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, b"7"), (logging.INFO, b"6"), (logging.WARNING, b"4"), (logging.ERROR, b"3"), (50, b"2")],
)
def test_level_becomes_syslogs_priority(
    journal: socket.socket, logger: logging.Logger, level: int, priority: bytes
) -> None:
    logger.log(level, "x")
    assert received(journal)["PRIORITY"] == priority


def test_value_can_not_add_fields_of_its_own(journal: socket.socket, logger: logging.Logger) -> None:
    logger.info("one\nCOURSE=forged\n", extra={"course": "c\nUSER=root"})
    found = received(journal)
    assert found["MESSAGE"] == b"one\nCOURSE=forged\n" and found["COURSE"] == b"c\nUSER=root" and "USER" not in found


def test_record_that_no_datagram_holds_arrives_whole(journal: socket.socket, logger: logging.Logger) -> None:
    text = "x" * 2_000_000
    logger.info("%s", text)
    assert received(journal)["MESSAGE"] == text.encode()


def test_unexpected_error_comes_with_its_name_and_traceback(journal: socket.socket, logger: logging.Logger) -> None:
    try:
        raise KeyError("k")
    except KeyError:
        logger.exception("it broke")
    found = received(journal)
    assert found["EXCEPTION"] == b"KeyError" and found["MESSAGE"].startswith(b"it broke\nTraceback")


def test_without_a_journal_the_sentence_goes_to_stderr(
    journal: socket.socket, logger: logging.Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "j").unlink()
    logger.warning("the journal is away")
    assert capsys.readouterr().err == "WARNING the journal is away\n"


def test_journal_is_spoken_to_only_where_stderr_leads_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with open(tmp_path / "stream", "wb") as stream, open(tmp_path / "other", "wb") as other:
        facts = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{facts.st_dev}:{facts.st_ino}")
        assert goes_to_journal(stream.fileno()) and not goes_to_journal(other.fileno())
        for wrong in ("", "x", "1:y", f"{facts.st_dev}"):
            monkeypatch.setenv("JOURNAL_STREAM", wrong)
            assert not goes_to_journal(stream.fileno())
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not goes_to_journal(stream.fileno())


def test_command_in_a_terminal_logs_sentences_as_ever() -> None:
    program = (
        "import logging\nfrom syncd.cli.serving import speak\nspeak()\nlogging.getLogger('n').warning('a sentence')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "WARNING n: a sentence\n"
