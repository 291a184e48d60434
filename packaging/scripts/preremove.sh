#!/bin/sh
# dpkg says remove or upgrade, rpm 0 when nothing is left and 1 on an upgrade.
set -e
case "${1:-}" in
  remove | 0) ;;
  *) exit 0 ;;
esac
# Data, configuration and keys stay: only `uninstall --remove-data` takes those.
if [ -e /etc/atomic-registry/installed.json ] && [ -x /opt/atomic-registry/current/bin/python ]; then
  /opt/atomic-registry/current/bin/atomic-registry uninstall
fi
exit 0
