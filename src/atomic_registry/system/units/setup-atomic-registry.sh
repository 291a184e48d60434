#!/bin/sh
# The original product was set up in a second step, by this script. `atomic-registry install` does
# all of it: users, the registry's credential, the console's OAuth client, the registry's
# configuration. So this only looks whether the services run.
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
