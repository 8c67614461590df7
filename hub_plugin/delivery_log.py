"""Webhooks' secrets and deliveries in the database: what came when, and what became of it.  Bodies are not kept."""

import secrets
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, delete, insert, select
from sqlalchemy.exc import IntegrityError

from hub_plugin.database import Database
from hub_plugin.tables import deliveries, webhook_secrets

_KEPT = 1_000
_KEPT_S = 90 * 86_400.0


@dataclass(frozen=True, slots=True)
class Logged:
    """A delivery that came; `verdict` is one of taken, again, other, refused and failed."""

    id: str
    course: str
    received_at: float
    form: str
    verdict: str
    sentence: str
    branch: str | None
    commit: str | None


_COLUMNS = [deliveries.c[name] for name in Logged.__dataclass_fields__]


class DeliveryLog:
    """The log, over the service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._secrets: dict[str, str] = {}

    async def secret(self, course: str) -> str:
        """A course's secret; made when it is wanted for the first time."""
        if (known := self._secrets.get(course)) is not None:
            return known
        wanted = select(webhook_secrets.c.secret).where(webhook_secrets.c.course == course)
        found = await self._database.run(lambda connection: connection.execute(wanted).scalar())
        if found is None:
            values = {"course": course, "secret": secrets.token_urlsafe(32)}
            new = insert(webhook_secrets).values(**values)
            with suppress(IntegrityError):  # RACE: another replica made one just now; that one counts
                await self._database.run(lambda connection: connection.execute(new) and None)
            found = await self._database.run(lambda connection: connection.execute(wanted).scalar())
        self._secrets[course] = str(found)
        return str(found)

    async def note(
        self, course: str, form: str, verdict: str, sentence: str, branch: str | None, commit: str | None, digest: bytes
    ) -> None:
        """Keep one, and forget the oldest."""
        values: dict[str, object] = {
            "id": str(uuid.uuid4()),
            "course": course,
            "received_at": time.time(),
            "form": form,
            "verdict": verdict,
            "sentence": sentence,
            "branch": branch,
            "commit": commit,
            "body_digest": digest,
        }

        def work(connection: Connection) -> None:
            connection.execute(insert(deliveries).values(**values))
            old = select(deliveries.c.received_at).order_by(deliveries.c.received_at.desc()).offset(_KEPT).limit(1)
            edge = connection.execute(old).scalar() or 0.0
            connection.execute(delete(deliveries).where(deliveries.c.received_at <= max(edge, time.time() - _KEPT_S)))

        await self._database.run(work)

    async def last(self, course: str | None, most: int) -> tuple[Logged, ...]:
        """The newest ones, of one course or of all."""
        wanted = select(*_COLUMNS).order_by(deliveries.c.received_at.desc()).limit(most)
        if course is not None:
            wanted = wanted.where(deliveries.c.course == course)
        rows = await self._database.run(lambda connection: connection.execute(wanted).mappings().all())
        return tuple(_logged(row) for row in rows)

    async def one(self, name: str) -> Logged | None:
        """A delivery by its id."""
        wanted = select(*_COLUMNS).where(deliveries.c.id == name)
        row = await self._database.run(lambda connection: connection.execute(wanted).mappings().first())
        return _logged(row) if row is not None else None


def _logged(row: RowMapping) -> Logged:
    return Logged(**{str(name): value for name, value in row.items()})
