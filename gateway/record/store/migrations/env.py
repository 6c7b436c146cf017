"""What Alembic runs to migrate: on the connection it was given, in the transaction that is already open."""

from __future__ import annotations

from alembic import context

from gateway.record.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
