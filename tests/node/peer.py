"""Somebody without rights who talks to the node: `python peer.py UID WHAT SOCKET [...]`, one line of JSON on stdout."""

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path


def connected(path: str, kind: int = socket.SOCK_STREAM) -> socket.socket:
    asking = socket.socket(socket.AF_UNIX, kind)
    asking.settimeout(10)
    while True:
        try:
            asking.connect(path)
            return asking
        except BlockingIOError:
            time.sleep(0.05)  # the queue is full: as any client does, we try again


def get(path: str, target: str) -> str:
    with connected(path) as asking:
        asking.sendall(f"GET {target} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n".encode())
        said = b""
        while part := asking.recv(65536):
            said += part
    return said.decode()


def door(path: str, course: str) -> tuple[str, list[int]]:
    with connected(str(Path(path).with_name("doors.sock")), socket.SOCK_SEQPACKET) as asking:
        asking.send(course.encode())
        said, fds, _, _ = socket.recv_fds(asking, 512, 4)
    return said.decode(), list(fds)


def reads(path: str, *courses: str) -> object:
    """What each course lets us have by its door, what lies above it, and what paths lead to."""
    found: dict[str, object] = {}
    for course in courses:
        said, fds = door(path, course)
        found[course] = said[:1]
        if not fds:
            continue
        blobs = [str(p) for p in Path(f"/proc/self/fd/{fds[0]}/blobs").rglob("*/*")]
        found[course] = sorted(Path(blob).read_text() for blob in blobs)
        for above in ("../mirror.git/HEAD", "../ready.json", "../../other/content/blobs", "../../../blobs"):
            try:
                os.close(os.open(above, os.O_RDONLY, dir_fd=fds[0]))
                found[above] = "open"
            except PermissionError:
                found[above] = "closed"
        for change in ("blobs/new", "manifests/new"):
            try:
                os.close(os.open(change, os.O_WRONLY | os.O_CREAT, dir_fd=fds[0]))
                found[change] = "open"
            except PermissionError:
                found[change] = "closed"
    for path_of in ("courses", "blobs", "incoming"):
        try:
            os.listdir(Path(path).with_name(path_of))
            found[path_of] = "open"
        except PermissionError:
            found[path_of] = "closed"
    found["follow"] = [get(path, f"/v1/courses/{course}/follow").split()[1] for course in courses[1:]]
    found["status"] = [one["name"] for one in json.loads(get(path, "/v1/status").partition("\r\n\r\n")[2])["courses"]]
    return found


def flood(path: str, seconds: str) -> object:
    """Everything at once, as long as told: connections, half requests, giant ones, questions for doors, no reading."""
    end = time.monotonic() + float(seconds)
    kept: list[socket.socket] = []

    def open_many() -> None:
        while time.monotonic() < end:
            try:
                one = socket.socket(socket.AF_UNIX)
                one.settimeout(0.5)
                one.connect(path)
                one.sendall(b"GET /v1/status HTTP/1.1\r\nHost: ")
                kept.append(one)
            except OSError:
                time.sleep(0.001)
            if len(kept) > 500:
                kept.clear()

    def pipeline() -> None:
        request = b"GET /v1/status HTTP/1.1\r\nHost: node\r\n\r\n" * 500
        while time.monotonic() < end:
            try:
                with connected(path) as one:
                    while time.monotonic() < end:
                        one.settimeout(0.5)
                        one.sendall(request)  # and never reads
            except OSError:
                continue

    def giant() -> None:
        while time.monotonic() < end:
            try:
                with connected(path) as one:
                    one.settimeout(0.5)
                    one.sendall(b"POST /v1/views HTTP/1.1\r\nHost: node\r\nContent-Length: 9999999999\r\n\r\n")
                    while time.monotonic() < end:
                        one.sendall(b"x" * 65536)
            except OSError:
                continue

    def doors() -> None:
        where = str(Path(path).with_name("doors.sock"))
        silent: list[socket.socket] = []
        while time.monotonic() < end:
            try:
                one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                one.settimeout(0.5)
                one.connect(where)
                if len(silent) % 2:
                    socket.send_fds(one, [b"x" * 4096], [0, 1, 2])
                silent.append(one)
            except OSError:
                time.sleep(0.001)
            if len(silent) > 500:
                silent.clear()

    threads = [threading.Thread(target=work) for work in (open_many, pipeline, giant, doors)]
    for thread in threads:
        thread.start()
    print("flooding", flush=True)
    for thread in threads:
        thread.join()
    return {}


def main() -> None:
    uid, what, *arguments = sys.argv[1:]
    os.setgroups([])
    os.setresgid(int(uid), int(uid), int(uid))
    os.setresuid(int(uid), int(uid), int(uid))
    print(json.dumps({"reads": reads, "flood": flood}[what](*arguments)), flush=True)


if __name__ == "__main__":
    main()
