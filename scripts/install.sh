#!/usr/bin/env bash
# Installs the release binaries to PREFIX/bin, their systemd units to PREFIX/lib/systemd/system and the rule
# packs to PREFIX/share/nightshift/rules, below DESTDIR if a package is being made. Starts and enables nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

prefix="${PREFIX:-/usr/local}"
root="${DESTDIR:-}$prefix"
target="$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)"

for binary in nightshift nightshift-agent; do
  install -D -m 755 "$target/release/$binary" "$root/bin/$binary"
  echo "installed $root/bin/$binary"
done

# The units in the repository name /usr/local/bin, where a hand-made installation puts things.
for unit in agent/*.service collector/*.service; do
  [ -e "$unit" ] || continue
  installed="$root/lib/systemd/system/$(basename "$unit")"
  install -d "$(dirname "$installed")"
  sed "s#/usr/local/bin/#$prefix/bin/#g" "$unit" >"$installed"
  chmod 644 "$installed"
  echo "installed $installed"
done

# The rule packs, which the collector reads by itself from /usr and /usr/local. A changed copy of an operator's
# belongs into /etc/nightshift/rules, where it takes the place of the pack: these here are replaced.
for pack in rules/packs/*.yml rules/packs/README.md; do
  installed="$root/share/nightshift/rules/$(basename "$pack")"
  install -D -m 644 "$pack" "$installed"
  echo "installed $installed"
done

# Sample configurations, beside which an operator's own stay untouched.
for pair in agent/nightshift-agent.toml:agent.toml collector/nightshift.toml:nightshift.toml; do
  installed="${DESTDIR:-}/etc/nightshift/${pair#*:}"
  [ -e "$installed" ] && continue
  install -D -m 644 "${pair%%:*}" "$installed"
  echo "installed $installed"
  # Below another prefix the collector does not look for the packs by itself.
  case "$prefix:$installed" in
    /usr:* | /usr/local:*) ;;
    *nightshift.toml)
      files="\"/etc/nightshift/rules/*.yml\", \"$prefix/share/nightshift/rules/*.yml\""
      sed -i "s#^\[rules\]#[rules]\nfiles = [$files]#" "$installed"
      ;;
  esac
done

# The agent's user. A package makes it when it is installed and not when it is built.
if [ -z "${DESTDIR:-}" ] && [ "$(id -u)" -eq 0 ] && ! id nightshift >/dev/null 2>&1; then
  useradd --system --no-create-home --home-dir /var/lib/nightshift-agent --shell /usr/sbin/nologin nightshift
  install -d -m 700 -o nightshift -g nightshift /var/lib/nightshift-agent
  echo "made the user nightshift"
fi
