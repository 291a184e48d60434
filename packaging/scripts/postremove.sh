#!/bin/sh
# dpkg says remove, purge or upgrade, rpm 0 when nothing is left and 1 on an upgrade.
set -e
case "${1:-}" in
  remove | purge | 0)
    # Programs only, made by the package and by updates.
    rm -rf /opt/atomic-registry
    for place in /var/lib/atomic-registry /etc/atomic-registry; do
      [ ! -e "$place" ] || echo "atomic-registry: $place stays; remove it when you need it no more"
    done
    ;;
esac
exit 0
