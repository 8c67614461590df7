"""The service's state: who is logged in, who saw what when, webhooks' secrets and deliveries.

SQLite by default; any database that SQLAlchemy speaks to by `db_url`.  One thread does the work, one question after
another, so that the event loop never waits for a disk.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, delete, event, func, insert, make_url, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from hub_plugin import words
from hub_plugin.tables import sessions, visits
from syncd.core.errors import Stop

VISIT_S = 1800.0
"""After so many seconds without a look, the next one is a new visit."""

_MIGRATING = 0x53594E43
"""The number of the lock under which one replica alone makes the tables."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is logged in."""

    key: str
    user: str
    token: str
    form_token: str
    ends_at: float


class Database:
    """The tables, brought up to date when it is opened.  Stop if they can't be had."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
                # It holds tokens: nobody else may read it, from its first moment.
                os.close(os.open(str(parsed.database), os.O_RDWR | os.O_CREAT, 0o600))
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            self._engine = create_engine(parsed, pool_pre_ping=True)
            if parsed.get_backend_name() == "sqlite":
                event.listen(self._engine, "connect", _as_a_server_wants_it)
            with self._engine.begin() as connection:
                _migrate(connection)
        except (SQLAlchemyError, OSError, ImportError) as error:
            raise Stop(words.no_database(str(error).splitlines()[0])) from error
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="database")

    async def close(self) -> None:
        """Let go of it."""
        await asyncio.to_thread(self._worker.shutdown)
        self._engine.dispose()

    async def run(self, work: Callable[[Connection], _T]) -> _T:
        """Do some work in one transaction."""

        def in_transaction() -> _T:
            with self._engine.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._worker, in_transaction)

    async def new_session(self, key: str, user: str, token: str, seconds: float) -> Session:
        """Remember a login, and forget those that have ended."""
        session = Session(key, user, token, secrets.token_urlsafe(24), time.time() + seconds)

        def work(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.ends_at < time.time()))
            values = {name: getattr(session, name) for name in ("key", "user", "token", "form_token", "ends_at")}
            connection.execute(insert(sessions).values(**values))

        await self.run(work)
        return session

    async def session(self, key: str) -> Session | None:
        """The login of a cookie, unless it has ended."""
        wanted = select(sessions).where(sessions.c.key == key, sessions.c.ends_at >= time.time())
        row = await self.run(lambda connection: connection.execute(wanted).mappings().first())
        return Session(**row) if row is not None else None

    async def end_session(self, key: str) -> None:
        """Forget a login."""
        await self.run(lambda connection: connection.execute(delete(sessions).where(sessions.c.key == key)))

    async def visit(self, user: str, course: str) -> float | None:
        """Note a look at a course; when the visit before this one was, in seconds since the epoch, None if never."""
        now = time.time()
        mine = (visits.c.user == user) & (visits.c.course == course)

        def work(connection: Connection) -> float | None:
            row: Mapping[str, float] | None = connection.execute(select(visits).where(mine)).mappings().first()  # type: ignore[assignment]
            if row is None:
                connection.execute(insert(visits).values(user=user, course=course, seen_at=now, present_at=now))
                return None
            seen = row["present_at"] if now - row["present_at"] > VISIT_S else row["seen_at"]
            connection.execute(update(visits).where(mine).values(seen_at=seen, present_at=now))
            return seen

        try:
            return await self.run(work)
        except IntegrityError:  # RACE: two first looks at once; the other one has noted it
            return None


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # several replicas may start at once
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
    with as_file(files("hub_plugin").joinpath("migrations")) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _as_a_server_wants_it(connection: object, record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for setting in ("journal_mode=WAL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()
