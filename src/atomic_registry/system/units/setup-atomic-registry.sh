#!/bin/sh
# The original product was set up in a second step, by this script. `atomic-registry install` does
# what is still needed: users, certificates, the registry's configuration. The master makes the
# console's OAuth client when it starts, and the registry needs no credential: it asks the database
# that it shares with the master. So this only looks whether the services run.
set -u
systemctl=/usr/bin/systemctl
[ -x "$systemctl" ] || systemctl=/bin/systemctl
echo "Nothing is left to set up: atomic-registry install has done it."
[ "$#" -eq 0 ] || echo "To change the names of this machine: atomic-registry install $*"
missing=0
for unit in atomic-registry-master atomic-registry atomic-registry-console; do
  if "$systemctl" --quiet is-active "$unit.service"; then
    echo "$unit runs."
  else
    echo "$unit does not run; see: journalctl -u $unit"
    missing=1
  fi
done
[ "$missing" -eq 0 ] || echo "To start all: systemctl enable --now atomic-registry-master.service"
exit "$missing"
