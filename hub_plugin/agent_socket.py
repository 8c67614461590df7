"""Speaking to an agent, or to the node, by its socket.

Who asks may be root, so nothing under a student's home is opened by name except the agent's own socket, and what
answers there is asked nothing before the kernel has said that it is the student's (SO_PEERCRED).
"""

import asyncio
import json
import os
import select
import signal
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub_plugin import words
from hub_plugin.accounts import Account
from syncd.core.errors import NeedsUser, SyncError, TryAgain

_LONGEST_SOCKET = 107
_LARGEST_ANSWER = 4 << 20
_ANSWER_S = 60.0
"""A merge of many notebooks takes its time; an agent that takes more than this is stopped, or wants to keep us."""
END_S = 3.0
"""How long an agent that was told to end is waited for."""


async def ask(account: Account, path: Path, question: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    """Ask an account's agent: POST with a body, else GET.  NeedsUser with its sentence if it says no, else TryAgain."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await ask_at(await asyncio.to_thread(_connected, account, path), question, body)
    except TimeoutError as error:
        raise TryAgain(words.AGENT_SILENT) from error


async def ask_at(connection: socket.socket, question: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    """The same over a connection, which is closed then."""
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    try:
        sent = json.dumps(dict(body)).encode() if body is not None else b""
        head = f"{'GET' if body is None else 'POST'} /v1/{question} HTTP/1.0\r\nHost: agent\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
        writer.write(head.encode() + sent)
        await writer.drain()
        answer = await reader.read(_LARGEST_ANSWER)
        while not reader.at_eof() and len(answer) < _LARGEST_ANSWER:
            answer += await reader.read(_LARGEST_ANSWER)
    except OSError as error:
        raise TryAgain(words.AGENT_SILENT) from error
    finally:
        writer.close()
    head_bytes, _, said = answer.partition(b"\r\n\r\n")
    status = head_bytes.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise NeedsUser(said.decode(errors="replace").strip()[:500] or words.AGENT_SILENT)
    try:
        found = json.loads(said)
    except (ValueError, RecursionError) as error:
        raise TryAgain(words.AGENT_SILENT) from error
    if not isinstance(found, dict):
        raise TryAgain(words.AGENT_SILENT)
    return found


def connected_to_node(path: Path) -> socket.socket:
    """A connection to this machine's node.  TryAgain if it does not run."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(1)
        connection.connect(str(path))
        connection.setblocking(False)
    except OSError as error:
        connection.close()
        raise TryAgain(words.NODE_MISSING) from error
    return connection


def _connected(account: Account, path: Path) -> socket.socket:
    """A connection to the account's own agent.  TryAgain if there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(2)
    folder = -1
    try:
        if len(os.fsencode(path)) > _LONGEST_SOCKET:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        else:
            connection.connect(str(path))
        _, uid, _ = _peer(connection)
        if uid != account.uid:
            raise TryAgain(words.AGENT_AWAY)
        connection.setblocking(False)
        return connection
    except OSError as error:
        connection.close()
        raise TryAgain(words.AGENT_AWAY) from error
    except TryAgain:
        connection.close()
        raise
    finally:
        if folder >= 0:
            os.close(folder)


def end(account: Account, path: Path) -> None:
    """Ask the process behind the socket to end, and wait a little for it.  Its number comes from the kernel."""
    try:
        connection = _connected(account, path)
    except SyncError:
        return
    with connection:
        process, _, _ = _peer(connection)
        try:
            handle = os.pidfd_open(process)
        except OSError:
            return
    try:
        # The number can't have passed to another process unless the agent ended just now; then its owner tells.
        if os.stat(f"/proc/{process}").st_uid == account.uid:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            select.select([handle], [], [], END_S)
    except OSError:
        return
    finally:
        os.close(handle)


def _peer(connection: socket.socket) -> tuple[int, int, int]:
    """Process, user and group at the other end, by the kernel."""
    process, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return process, uid, gid
