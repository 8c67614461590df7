"""The eyes of a class: one process per student, as the student, that looks into the folder when it is asked to.

    python -m tests.bench.class_eyes NAMESPACE UID:HOME ...

A mount can be seen by its own student only, so each look is a real one.  One line of JSON in, one out:

    {"do": "look", "path", "want"}    until everybody sees `want` in the file: [[seen, last], ...]: when a look that saw
                                      it had ended, when the last that did not had begun (seconds since the epoch)
    {"do": "add", "path", "line", "who": [0, ...]}    append a line, as an editor that saves in place

They are looked at one after another, again and again: `seen` includes waiting for a turn, `last` does not.
"""

import ctypes
import json
import os
import socket
import sys
import time
from pathlib import Path

_PATIENCE_S = 120.0
_PAUSE_S = 0.01
"""After each turn of all: people do not open a file as often as they can."""
_CLONE_NEWNS = 0x20000


def main() -> None:
    namespace, *students = sys.argv[1:]
    fd = os.open(namespace, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNS) != 0:
        sys.exit("the class's mounts can't be reached")
    eyes = []
    for student in students:
        uid, _, home = student.partition(":")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            for eye in eyes:
                eye.close()
            ours.close()
            _eye(theirs, int(uid), Path(home))
        theirs.close()
        eyes.append(ours)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        said = json.loads(line)
        if said["do"] == "look":
            print(json.dumps(_look(eyes, said)), flush=True)
        else:
            for number in said["who"]:
                eyes[number].send(json.dumps(said).encode())
                eyes[number].recv(16)
            print(json.dumps("added"), flush=True)


def _look(eyes: list[socket.socket], said: dict[str, str]) -> list[tuple[float | None, float]]:
    question = json.dumps(said).encode()
    seen: list[float | None] = [None] * len(eyes)
    last = [0.0] * len(eyes)
    end = time.time() + _PATIENCE_S
    left = list(range(len(eyes)))
    while left and time.time() < end:
        for number in list(left):
            began = time.time()
            eyes[number].send(question)
            if eyes[number].recv(16) == b"y":
                seen[number] = time.time()
                left.remove(number)
            else:
                last[number] = began
        time.sleep(_PAUSE_S)
    return list(zip(seen, last, strict=True))


def _eye(ask: socket.socket, uid: int, home: Path) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    while words := ask.recv(4096):
        said = json.loads(words)
        path = home / said["path"]
        try:
            if said["do"] == "look":
                ask.send(b"y" if said["want"].encode() in path.read_bytes() else b"n")
            else:
                with open(path, "a") as out:
                    out.write(said["line"])
                ask.send(b"y")
        except OSError as error:
            ask.send(b"error %d" % (error.errno or 0))
    os._exit(0)


if __name__ == "__main__":
    main()
