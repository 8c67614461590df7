"""Fields of log records: what a record is about, beside its sentence.

Written to systemd's journal as COURSE, SYNCD_USER, COMMIT and FOLDER (see `syncd.cli.journal`); a log of
sentences does not show them.
"""

import logging
from collections.abc import MutableMapping
from typing import Any

FIELDS = {"course": "COURSE", "user": "SYNCD_USER", "commit": "COMMIT", "folder": "FOLDER"}
"""Attributes of a record -> names in the journal."""


class About(logging.LoggerAdapter[logging.Logger]):
    """A logger all of whose records are about the same; a call's `extra` adds to that."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add our fields."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def about(logger: logging.Logger, **fields: str) -> About:
    """A logger for one course, user, commit or folder."""
    return About(logger, fields)
