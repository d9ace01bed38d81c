#!/bin/sh
# Makes Temporal's two databases and brings them to the schema of this version. What is there already stays.
set -eu

tool() { temporal-sql-tool --plugin postgres12 --endpoint "$SQL_HOST" --port "${SQL_PORT:-5432}" --user "$SQL_USER" "$@"; }

prepare() { # database, schema
  tool --database "$1" create
  tool --database "$1" setup-schema --version 0.0
  tool --database "$1" update-schema --schema-name "postgresql/v12/$2"
}

prepare temporal temporal
prepare temporal_visibility visibility
