"""The service's state: kept over a restart, nobody else's to read, and its tables as the migrations make them."""

import hashlib
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from hub_plugin.database import VISIT_S, Database
from hub_plugin.delivery_log import DeliveryLog
from hub_plugin.tables import metadata, visits
from syncd.core.errors import Stop


async def test_what_is_kept_outlives_the_service(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.sqlite"
    first = Database(url)
    key = hashlib.sha256(b"cookie").hexdigest()
    session = await first.new_session(key, "ada", "token", 60)
    gone = await first.new_session("old", "ada", "token", -1)
    secret = await DeliveryLog(first).secret("ds8")
    await first.close()
    second = Database(url)
    assert await second.session(key) == session
    assert await second.session(gone.key) is None
    assert await DeliveryLog(second).secret("ds8") == secret
    await second.end_session(key)
    assert await second.session(key) is None
    await second.close()
    assert stat.S_IMODE((tmp_path / "state.sqlite").stat().st_mode) == 0o600


async def test_a_new_visit_begins_after_a_while(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state.sqlite")
    assert await database.visit("ada", "ds8") is None
    began = await database.visit("ada", "ds8")
    assert began is not None and await database.visit("ada", "ds8") == began
    moved = visits.update().values(present_at=began - VISIT_S - 1, seen_at=5.0)
    await database.run(lambda connection: connection.execute(moved) and None)
    assert await database.visit("ada", "ds8") == began - VISIT_S - 1
    assert await database.visit("ben", "ds8") is None
    await database.close()


async def test_the_log_of_deliveries_keeps_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_plugin.delivery_log._KEPT", 3)
    database = Database(f"sqlite:///{tmp_path}/state.sqlite")
    log = DeliveryLog(database)
    for number in range(6):
        await log.note("ds8", "GitHub", "taken", f"number {number}", "main", None, b"x" * 32)
    assert [each.sentence for each in await log.last("ds8", 10)] == ["number 5", "number 4", "number 3"]
    assert await log.last("other", 10) == ()
    found = (await log.last(None, 1))[0]
    assert await log.one(found.id) == found
    await database.close()


async def test_the_migrations_make_the_tables_as_they_are_declared(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state.sqlite")
    assert (
        await database.run(lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)) == []
    )
    await database.close()


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.sqlite", "nonsense", "nosuchdb://x/y"])
def test_a_database_that_cannot_be_had_is_said_in_one_sentence(url: str) -> None:
    with pytest.raises(Stop, match="db_url") as problem:
        Database(url)
    assert "\n" not in str(problem.value)
