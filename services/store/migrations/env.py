"""Alembic's entry point; it is handed a connection by ``services.store.schema``."""

from alembic import context
from sqlalchemy import Connection, text

from services.store.schema import METADATA

connection: Connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    # A migration waits five seconds for a lock, rather than stop everyone behind it.
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
context.configure(
    connection=connection, target_metadata=METADATA, render_as_batch=connection.dialect.name == "sqlite", compare_type=True
)
with context.begin_transaction():
    context.run_migrations()
