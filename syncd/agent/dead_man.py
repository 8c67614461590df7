"""A dead man's switch: the kernel kills this process at a moment that must be moved on again and again.

A timer of timer_create(2) whose signal is SIGKILL.  It needs nobody who runs: it ends a process that is stopped
(SIGSTOP), waits for a disk or hangs, before that one does anything more.  Its clock, CLOCK_BOOTTIME, goes on while the
machine sleeps.  A child of a fork has none.
"""

import ctypes
import os
import signal
import time

_CLOCK_BOOTTIME, _SIGEV_SIGNAL, _TIMER_ABSTIME = time.CLOCK_BOOTTIME, 0, 1
_libc = ctypes.CDLL(None, use_errno=True)


class _SigEvent(ctypes.Structure):
    """struct sigevent, 64 bytes (sigevent(3type))."""

    _fields_ = [
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    ]


class _Times(ctypes.Structure):
    """struct itimerspec: the interval, and the moment."""

    _fields_ = [("words", ctypes.c_long * 4)]


def now_s() -> float:
    """Seconds since the machine started, its sleep included."""
    return time.clock_gettime(_CLOCK_BOOTTIME)


class DeadMan:
    """Armed by `dies_at`; `end` takes it away."""

    def __init__(self) -> None:
        """Nothing is armed yet.  OSError if the kernel has no timer for us."""
        self._timer = ctypes.c_void_p()
        event = _SigEvent(signo=signal.SIGKILL, notify=_SIGEV_SIGNAL)
        _check(_libc.timer_create(_CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(self._timer)))

    def dies_at(self, moment_s: float) -> None:
        """The process dies at a moment of `now_s`; what was said before counts no more.  A moment that is over: now."""
        whole, part = divmod(moment_s, 1)
        when = _Times((ctypes.c_long * 4)(0, 0, int(whole), int(part * 1e9)))
        _check(_libc.timer_settime(self._timer, _TIMER_ABSTIME, ctypes.byref(when), None))

    def end(self) -> None:
        """Nobody dies."""
        _libc.timer_delete(self._timer)


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
