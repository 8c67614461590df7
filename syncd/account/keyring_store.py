"""Tokens in the system's own keyring, where there is a real one."""

from typing import TYPE_CHECKING

# `keyring` is loaded where it is used: a daemon that needs no token keeps the memory that it takes.

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_SERVICE = "synced-folders"


def real_keyring() -> str | None:
    """The name of this system's keyring; None if there is none, or only one that keeps plain text or asks at each use.

    `keyring` calls those recommended whose priority is 1 or more.
    """
    import keyring
    from keyring.backend import KeyringBackend
    from keyring.backends.chainer import ChainerBackend
    from keyring.errors import KeyringError

    try:
        found: KeyringBackend = keyring.get_keyring()
        real = next(filter(_is_real, found.backends if isinstance(found, ChainerBackend) else [found]), None)
    except (KeyringError, OSError, RuntimeError, ValueError, ImportError):
        return None
    return None if real is None else str(real.name)


def keep(name: str, secret: str) -> bool:
    """Keep a secret; whether it can be had back."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_SERVICE, name, secret)
        return keyring.get_password(_SERVICE, name) == secret
    except (KeyringError, OSError, RuntimeError, ValueError):
        return False


def kept(name: str) -> str | None:
    """A secret; None if it is not there, or the keyring is locked."""
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(_SERVICE, name)
    except (KeyringError, OSError, RuntimeError, ValueError):
        return None


def drop(name: str) -> None:
    """Forget a secret."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.delete_password(_SERVICE, name)
    except (KeyringError, OSError, RuntimeError, ValueError):
        return


def _is_real(backend: "KeyringBackend") -> bool:
    import keyring

    return bool(keyring.core.recommended(backend))
