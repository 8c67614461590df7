"""Machines that are played by network namespaces, each with one cable to a bridge.

    unshare --net python ...      then, as root in it: Machines(36).start(7, argv)

Whoever uses it is in a namespace of its own already, which holds the bridge and plays the machine that all others talk
to: nothing of it can be reached from this machine's networks, and all of it ends with the process.  What listens on
127.0.0.1 there is what a machine finds at 127.0.0.1, so servers listen where they always do.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_HUB = "10.36.255.254"
_ROUTED = "for each in all default; do echo 1 > /proc/sys/net/ipv4/conf/$each/route_localnet; done"
"""Else the kernel takes packets from and to 127.0.0.1 for forged ones."""


class Machines:
    """Until they are closed."""

    def __init__(self, count: int) -> None:
        self._holders: list[subprocess.Popen[bytes]] = []
        _run(
            f"{_ROUTED} && ip link set lo up && ip link add name bridge type bridge && "
            f"ip address add {_HUB}/16 dev bridge && ip link set bridge up"
        )
        for number in range(count):
            holder = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", f"{_ROUTED}; echo up; exec sleep infinity"],
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            self._holders.append(holder)
            assert holder.stdout is not None and holder.stdout.readline() == b"up\n"
            _run(
                f"ip link add name cable{number} type veth peer name eth0 netns {holder.pid} && "
                f"ip link set cable{number} master bridge up"
            )
            inside = (
                f"ip address add 10.36.{number // 200}.{number % 200 + 1}/16 dev eth0 && ip link set eth0 up && "
                f"ip route add 127.0.0.1/32 via {_HUB}"
            )
            _run(f"nsenter --net=/proc/{holder.pid}/ns/net sh -c '{inside}'")

    def close(self) -> None:
        """Take them away, with whatever still runs there cut off."""
        for holder in self._holders:
            holder.kill()
            holder.wait()

    def start(self, number: int, argv: Sequence[str | Path], **more: Any) -> subprocess.Popen[bytes]:
        """Start a process on a machine."""
        inside = ["nsenter", f"--net=/proc/{self._holders[number].pid}/ns/net"]
        return subprocess.Popen([*inside, *map(str, argv)], start_new_session=True, **more)


def why_not() -> str | None:
    """Why there can be no such machines here, in a sentence; None if there can."""
    done = subprocess.run(
        [
            "unshare",
            "--net",
            "sh",
            "-c",
            "ip link add name bridge type bridge && ip link add name cable type veth peer name eth0",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else f"Network namespaces can't be had here: {done.stderr.strip()}"


def _run(script: str) -> None:
    subprocess.run(["sh", "-c", script], check=True)
