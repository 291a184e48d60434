#!/bin/sh
# podman container runlabel install IMAGE HOSTNAME...: writes the service, and starts nothing.
set -eu
host=${HOST_CONTAINERS:-/host/containers}
template=${TEMPLATE:-/usr/share/atomic-registry/atomic-registry.container}
if [ "$#" -eq 0 ]; then
  echo "error: name the machine as clients reach it: podman container runlabel install IMAGE registry.example.com" >&2
  exit 2
fi
names=
for name in "$@"; do
  case $name in
    *[!A-Za-z0-9.:-]* | '')
      echo "error: $name is neither a host name nor an address" >&2
      exit 2
      ;;
  esac
  names=$names${names:+,}$name
done
place=$host/systemd/atomic-registry.container
mkdir -p "$host/systemd"
if [ -e "$place" ]; then
  place=$place.new
  echo "The service is there already and stays as it is; the new one lies beside it."
fi
sed -e "s|@IMAGE@|$IMAGE|" -e "s|@HOSTNAMES@|$names|" "$template" > "$place"
echo "Written: /etc/containers/systemd/${place##*/}"
echo "Start it: systemctl daemon-reload && systemctl start atomic-registry.service"
