"""PostgreSQL and Redis as Debian packages them, as an unprivileged user, on sockets in a folder that goes with them."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NOBODY = 65534


def program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name) or name


def unprivileged(folder: Path) -> dict[str, int]:
    if os.getuid() != 0:
        return {}
    for above in (folder, *folder.parents):  # pytest's folders are closed to others
        if above == Path("/tmp") or not str(above).startswith("/tmp/"):
            break
        above.chmod(above.stat().st_mode | 0o011)
    os.chown(folder, NOBODY, NOBODY)
    return {"user": NOBODY, "group": NOBODY}


@contextmanager
def running(command: list[str], folder: Path, socket: Path, identity: dict[str, int]) -> Iterator[None]:
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **identity)  # type: ignore[call-overload]
    try:
        deadline = time.monotonic() + 30
        while not socket.exists():
            assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
        yield
    finally:
        with suppress(ProcessLookupError):
            server.send_signal(signal.SIGINT)  # for PostgreSQL: end now, in order
        server.wait(20)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The address of a fresh database."""
    folder.mkdir()
    identity = unprivileged(folder)
    data, user = folder / "data", "hub"
    made = [program("initdb"), "-D", str(data), "-U", user, "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale"]
    subprocess.run(made, check=True, capture_output=True, cwd=folder, **identity)  # type: ignore[call-overload]
    command = [program("postgres"), "-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    with running(command, folder, folder / ".s.PGSQL.5432", identity):
        url = f"postgresql://{user}@/postgres?host={folder}"
        wait_for_postgresql(url)
        yield url


def wait_for_postgresql(url: str) -> None:
    import psycopg

    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The address of a fresh Redis."""
    folder.mkdir(exist_ok=True)
    socket = folder / "redis.sock"
    command = [program("redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with running(command, folder, socket, unprivileged(folder)):
        yield f"unix://{socket}"
