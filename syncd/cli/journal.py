"""Log records to systemd's journal with their fields, by its native protocol.

The protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ ; when to speak it ($JOURNAL_STREAM): systemd.exec(5).
"""

import array
import contextlib
import errno
import fcntl
import logging
import os
import socket
import struct
import sys
from collections.abc import Mapping

from syncd.log_fields import FIELDS

JOURNAL = "/run/systemd/journal/socket"
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7  # syslog(3)


def goes_to_journal(descriptor: int = 2) -> bool:
    """Whether systemd has connected a descriptor to its journal, and nobody has redirected it since."""
    try:
        device, _, inode = os.environ["JOURNAL_STREAM"].partition(":")
        facts = os.fstat(descriptor)
        return (int(device), int(inode)) == (facts.st_dev, facts.st_ino)
    except (KeyError, ValueError, OSError):
        return False


class JournalHandler(logging.Handler):
    """One datagram for each record.  While the journal can't be reached, records go to stderr as sentences.

    The socket is made anew each time: agents are forked, and close descriptors that they do not know.
    """

    def __init__(self, sentences: logging.Formatter, path: str = JOURNAL) -> None:
        """`sentences` is for stderr."""
        super().__init__()
        self._sentences, self._path = sentences, path

    def emit(self, record: logging.LogRecord) -> None:
        """Send it; never raises."""
        try:
            _send(self._path, _encoded(self._fields(record)))
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                print(self._sentences.format(record), file=sys.stderr)
        except Exception:  # noqa: BLE001  (what logging does with an error of a handler's own)
            self.handleError(record)

    def _fields(self, record: logging.LogRecord) -> Mapping[str, str]:
        fields = {
            "MESSAGE": self.format(record),
            "PRIORITY": str(next((level for least, level in _PRIORITIES if record.levelno >= least), _DEBUG)),
            "SYSLOG_IDENTIFIER": "syncd",
            "SYSLOG_PID": str(record.process),
            "LOGGER": record.name,
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": record.funcName,
        }
        if record.exc_info and record.exc_info[0] is not None:
            fields["EXCEPTION"] = record.exc_info[0].__name__
        for attribute, name in FIELDS.items():
            if (value := getattr(record, attribute, None)) is not None:
                fields[name] = str(value)
        return fields


def _encoded(fields: Mapping[str, str]) -> bytes:
    out = bytearray()
    for name, text in fields.items():
        value = text.encode("utf-8", "replace")
        if b"\n" in value:
            out += name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
        else:
            out += name.encode() + b"=" + value + b"\n"
    return bytes(out)


def _send(path: str, message: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
        try:
            door.sendto(message, path)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            _send_large(door, path, message)


def _send_large(door: socket.socket, path: str, message: bytes) -> None:
    """What no datagram holds travels as a sealed file in memory."""
    file = os.memfd_create("syncd-log", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(file), "wb") as out:
            out.write(message)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))]
        door.sendmsg([], rights, 0, path)
    finally:
        os.close(file)
