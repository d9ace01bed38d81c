#!/bin/sh
# Makes the namespace that Muster uses, unless it is there. Closed workflows stay visible for 30 days; the record of an
# incident is in Muster's own database, for ever.
set -eu

until temporal operator cluster health; do sleep 2; done
temporal operator namespace describe --namespace default ||
  temporal operator namespace create --namespace default --retention 30d
