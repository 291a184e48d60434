#!/bin/sh
# dpkg calls this with `configure` and the version before, rpm with 1 at first and 2 on an upgrade.
set -e
case "${1:-}" in
  abort-*) exit 0 ;;
esac
base=/opt/atomic-registry
# Compiled from the version before, and taken for current: files of packages have equal times.
find "$base/package" -type d -name __pycache__ -prune -exec rm -rf {} +
export PYTHONDONTWRITEBYTECODE=1
# Of the Pythons of the machine, one that the tree has packages for.
for python in /usr/bin/python3 /usr/bin/python3.14 /usr/bin/python3.13 /usr/bin/python3.12 \
  /usr/bin/python3.11; do
  [ -x "$python" ] || continue
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  if [ -d "$base/package/lib/python$version" ]; then
    ln -sfn "$python" "$base/package/bin/python"
    # Makes the version beside the one in use; changes to it if the services are installed.
    exec "$base/package/bin/atomic-registry" update "$base/package"
  fi
done
echo "atomic-registry: none of the Pythons in /usr/bin fits; install one of:" >&2
(cd "$base/package/lib" && echo python*) >&2
exit 1
