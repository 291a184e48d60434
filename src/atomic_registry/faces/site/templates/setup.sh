#!/bin/sh
# Has the container clients of this machine trust the authority of an Atomic Registry.
#
# The certificate is downloaded without any trust and used only if its SHA-256 fingerprint is the
# one on the command line: have that one from the administrator, not from the same download.
set -eu
umask 022

# Filled in by the server that this comes from.
MASTER=''
REGISTRY=''

MARK='# Written by setup.sh of Atomic Registry.'
MAX_BYTES=100000

usage() {
  cat <<'END'
Usage: setup.sh --fingerprint SHA256 [options]

Has docker, podman, buildah, skopeo, CRI-O and containerd trust the registry's authority.
Without any of the first four options it sets up the container clients that it finds.

  --docker            /etc/docker/certs.d
  --containers        /etc/containers/certs.d: podman, buildah, skopeo, CRI-O
  --containerd        /etc/containerd/certs.d
  --system            the store of the whole machine (Debian, Ubuntu, Red Hat, Fedora, SUSE)
  --fingerprint HEX   SHA-256 of the certificate, with colons or without
  --registry HOST:PORT  the registry, if it is another one than the server says
  --master URL        where to download from, if it is another server
  --ca FILE           take the certificate from a file; it is checked all the same
  --root DIR          set up the system below this directory
  --dry-run           say what would be done
  --uninstall         remove what was set up; needs no fingerprint
END
}

say() { printf '%s\n' "$*"; }

fail() {
  printf 'setup.sh: %s\n' "$*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --fingerprint=* | --registry=* | --master=* | --ca=* | --root=*)
        set_value "${1%%=*}" "${1#*=}"
        ;;
      --fingerprint | --registry | --master | --ca | --root)
        [ $# -ge 2 ] || fail "$1 needs a value; see --help"
        set_value "$1" "$2"
        shift
        ;;
      --docker) docker=yes ;;
      --containers | --podman | --crio) containers=yes ;;
      --containerd) containerd=yes ;;
      --system) system=yes ;;
      --dry-run) dry_run=yes ;;
      --uninstall) uninstall=yes ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) fail "there is no option $1; see --help" ;;
    esac
    shift
  done
}

set_value() {
  case $1 in
    --fingerprint) fingerprint=$2 ;;
    --registry) REGISTRY=$2 ;;
    --master) MASTER=$2 ;;
    --ca) ca_file=$2 ;;
    --root) root=$2 ;;
  esac
}

# What goes into paths and files is looked at before anything is done.
check_options() {
  case $REGISTRY in
    '' | .* | -* | *..* | *[!]A-Za-z0-9.:_[-]*)
      fail "--registry must be HOST:PORT, not '$REGISTRY'"
      ;;
  esac
  case $MASTER in
    https://?*) ;;
    *) [ -n "$ca_file$uninstall" ] || fail "--master must be an https URL, not '$MASTER'" ;;
  esac
  case $MASTER in
    *[!]A-Za-z0-9.:/_[-]*) fail "--master must be https://HOST:PORT, not '$MASTER'" ;;
  esac
  while [ "$root" != "${root%/}" ]; do root=${root%/}; done
  case $root in
    '') ;;
    /*) [ -d "$root" ] || fail "--root: there is no directory $root" ;;
    *) fail "--root must begin with a slash, not '$root'" ;;
  esac
  if [ -z "$uninstall" ]; then
    fingerprint=$(printf '%s' "$fingerprint" | tr -d ': ' | tr 'A-F' 'a-f')
    case $fingerprint in
      '') fail "give --fingerprint; the administrator of the registry knows it" ;;
      *[!0-9a-f]*) fail "--fingerprint must be of hexadecimal digits" ;;
    esac
    [ ${#fingerprint} -eq 64 ] || fail "--fingerprint must have 64 digits: it is a SHA-256"
  fi
}

find_clients() {
  [ -z "$docker$containers$containerd$system" ] || return 0
  if [ -d "$root/etc/docker" ] || here docker; then docker=yes; fi
  if [ -d "$root/etc/containers" ] || here podman || here skopeo || here crio; then
    containers=yes
  fi
  if [ -d "$root/etc/containerd" ] || here containerd; then containerd=yes; fi
  [ -n "$docker$containers$containerd" ] ||
    fail "no container client was found; name one: --docker, --containers, --containerd, --system"
}

here() { [ -z "$root" ] && has "$1"; }

sha256() {
  if has sha256sum; then
    sha256sum <"$1" | cut -d ' ' -f 1
  elif has openssl; then
    openssl dgst -sha256 -r <"$1" | cut -d ' ' -f 1
  else
    fail "neither sha256sum nor openssl is here to check the fingerprint"
  fi
}

download() {
  if has curl; then
    curl -q -fsS --insecure --proto '=https' --max-time 60 --max-filesize "$MAX_BYTES" \
      --output "$1" "$MASTER/trust/ca.crt"
  elif has wget; then
    wget -q --no-check-certificate -T 60 -O "$1" "$MASTER/trust/ca.crt"
  else
    fail "neither curl nor wget is here; download $MASTER/trust/ca.crt and use --ca"
  fi
}

# Leaves $work/ca.crt with the one certificate that was checked, and nothing else that the
# download may have brought along.
fetch_authority() {
  if [ -n "$ca_file" ]; then
    head -c "$MAX_BYTES" <"$ca_file" >"$work/got" || fail "cannot read $ca_file"
  else
    download "$work/got" || fail "cannot download $MASTER/trust/ca.crt"
  fi
  head -c "$MAX_BYTES" <"$work/got" |
    awk '/^-----BEGIN CERTIFICATE-----/ { on = 1; next } /^-----END/ { exit } on' |
    tr -d ' \r\n' >"$work/base64"
  [ -s "$work/base64" ] || fail "${ca_file:-$MASTER/trust/ca.crt} is no certificate"
  base64 -d <"$work/base64" >"$work/der" 2>/dev/null ||
    fail "${ca_file:-$MASTER/trust/ca.crt} is a damaged certificate"
  found=$(sha256 "$work/der")
  [ "$found" = "$fingerprint" ] || fail "nothing was changed: the certificate has the fingerprint
  $found, not
  $fingerprint.
Either this is another registry's fingerprint, or somebody answers in the registry's place; ask
its administrator."
  {
    say '-----BEGIN CERTIFICATE-----'
    base64 <"$work/der" | tr -d '\n' | fold -w 64
    say ''
    say '-----END CERTIFICATE-----'
  } >"$work/ca.crt"
}

put() {
  if [ -f "$2" ] && cmp -s "$1" "$2"; then
    say "is there already: $2"
  elif [ -n "$dry_run" ]; then
    say "would write $2"
  else
    mkdir -p "${2%/*}"
    cp "$1" "$2.new"
    chmod 644 "$2.new"
    mv -f "$2.new" "$2"
    say "wrote $2"
  fi
}

take_away() {
  [ -e "$1" ] || return 0
  if [ -n "$dry_run" ]; then
    say "would remove $1"
  else
    rm -f "$1"
    say "removed $1"
  fi
}

# A directory of certificates by registry, as docker and podman read it.
set_up_directory() {
  if [ -n "$uninstall" ]; then
    take_away "$1/$REGISTRY/ca.crt"
    forget "$1/$REGISTRY"
  else
    put "$work/ca.crt" "$1/$REGISTRY/ca.crt"
  fi
}

forget() {
  [ -n "$dry_run" ] || [ ! -d "$1" ] || rmdir "$1" 2>/dev/null || true
}

set_up_containerd() {
  hosts=$root/etc/containerd/certs.d/$REGISTRY/hosts.toml
  if [ -f "$hosts" ] && ! grep -qF "$MARK" "$hosts"; then
    say "left alone, since it is not of this script: $hosts"
    say "  it needs, for https://$REGISTRY: ca = \"/etc/containerd/certs.d/$REGISTRY/ca.crt\""
  elif [ -n "$uninstall" ]; then
    take_away "$hosts"
  else
    {
      say "$MARK"
      say "server = \"https://$REGISTRY\""
      say ''
      say "[host.\"https://$REGISTRY\"]"
      say '  capabilities = ["pull", "resolve", "push"]'
      say "  ca = \"/etc/containerd/certs.d/$REGISTRY/ca.crt\""
    } >"$work/hosts.toml"
    put "$work/hosts.toml" "$hosts"
    grep -qs '^ *config_path *= *.*/etc/containerd/certs\.d' "$root/etc/containerd/config.toml" ||
      say 'note: containerd reads this only if its config.toml sets
  config_path = "/etc/containerd/certs.d" in the section of the registry; restart it after that'
  fi
  set_up_directory "$root/etc/containerd/certs.d"
}

set_up_system() {
  name=atomic-registry-$(printf '%s' "$REGISTRY" | tr -c 'A-Za-z0-9' '-').crt
  if [ -d "$root/etc/pki/ca-trust/source/anchors" ]; then
    anchor=$root/etc/pki/ca-trust/source/anchors/$name
    refresh='update-ca-trust extract'
  elif [ -d "$root/etc/pki/trust/anchors" ]; then
    anchor=$root/etc/pki/trust/anchors/$name
    refresh=update-ca-certificates
  elif [ -d "$root/usr/local/share/ca-certificates" ] || [ -d "$root/usr/share/ca-certificates" ]; then
    anchor=$root/usr/local/share/ca-certificates/$name
    refresh='update-ca-certificates --fresh'
  else
    fail "the store of this system is not known; install the package ca-certificates"
  fi
  if [ -n "$uninstall" ]; then
    take_away "$anchor"
  else
    put "$work/ca.crt" "$anchor"
  fi
  if [ -n "$dry_run" ]; then
    say "would run $refresh"
  elif [ -n "$root" ]; then
    say "run this on the system itself: $refresh"
  else
    # Two words, on purpose.
    # shellcheck disable=SC2086
    $refresh >/dev/null || fail "$refresh failed"
    say "ran $refresh"
  fi
}

main() {
  docker='' containers='' containerd='' system=''
  fingerprint='' ca_file='' root='' dry_run='' uninstall=''
  read_options "$@"
  check_options
  find_clients
  if [ -z "$root$dry_run" ] && [ "$(id -u)" -ne 0 ]; then
    fail "run this as root, for example by sudo, or look first what it does: --dry-run"
  fi
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  if [ -z "$uninstall" ]; then fetch_authority; fi
  if [ -n "$docker" ]; then set_up_directory "$root/etc/docker/certs.d"; fi
  if [ -n "$containers" ]; then set_up_directory "$root/etc/containers/certs.d"; fi
  if [ -n "$containerd" ]; then set_up_containerd; fi
  if [ -n "$system" ]; then set_up_system; fi
  if [ -z "$dry_run$uninstall" ]; then say "clients trust https://$REGISTRY from now on"; fi
}

# Called at the end, so that half a download does nothing.
main "$@"
