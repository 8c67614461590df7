"""The service's tables.  They change only by a migration in `migrations/versions/`."""

from sqlalchemy import Column, Float, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    # SHA-256 of the cookie: who reads the table can't use it as one.
    Column("key", String(64), primary_key=True),
    Column("user", String(255), nullable=False, index=True),
    # The visitor's OAuth token of this service; it opens nothing but this service and who they are.
    Column("token", String(255), nullable=False),
    # What this session's forms must send back (CSRF).
    Column("form_token", String(64), nullable=False),
    Column("ends_at", Float, nullable=False, index=True),
)

visits = Table(
    "visits",
    metadata,
    Column("user", String(255), primary_key=True),
    Column("course", String(64), primary_key=True),
    # The visit before the present one: what is newer is new to the visitor.
    Column("seen_at", Float, nullable=False),
    Column("present_at", Float, nullable=False),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("course", String(64), primary_key=True),
    Column("secret", String(64), nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("course", String(64), nullable=False, index=True),
    Column("received_at", Float, nullable=False, index=True),
    Column("form", String(16), nullable=False),
    Column("verdict", String(32), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("branch", String(255)),
    Column("commit", String(64)),
    Column("body_digest", LargeBinary(32), nullable=False),
)
