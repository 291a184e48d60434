#!/bin/sh
# podman container runlabel uninstall IMAGE: removes the service; the volume with the data stays.
set -eu
host=${HOST_CONTAINERS:-/host/containers}
rm -f "$host/systemd/atomic-registry.container" "$host/systemd/atomic-registry.container.new"
echo "Removed. Now: systemctl daemon-reload && systemctl stop atomic-registry.service"
echo "Images and keys stay in the volume; to remove them: podman volume rm atomic-registry"
