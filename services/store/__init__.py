"""All tables, one file an aggregate; the event log and its projections; the outbox."""
