#!/usr/bin/env bash
# Makes the folder of a lab, prints its name, waits until the process that asked for it is gone or has
# let go of the pipe, and then ends every process that lives in the folder and removes the folder.
#
# It is a process of its own so that it works however the other one ends, kill -9 included: the kernel
# closes the pipe. A process lives in the folder if its working folder is inside: everything that the lab
# starts is started there, and what these start in turn (backends, archive commands, container shims)
# stays there. A process with a terminal is a person's shell that went to look, and is left alone.
# Processes in containers are found by the control group that bears the folder's name.
set -u
cd /
trap '' HUP INT QUIT TERM
umask 022

folder="$(mktemp -d "${TMPDIR:-/tmp}/nightshift-lab-XXXXXX")" || exit 1
folder="$(readlink -f "$folder")"
chmod 755 "$folder"
name="$(basename "$folder")"
echo "$folder"

while read -r _; do :; done

inhabitants() {
  find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' \( -lname "$folder" -o -lname "$folder/*" \) \
    -printf '%h\n' 2>/dev/null | while read -r process; do
    stat=""
    { read -r stat <"$process/stat"; } 2>/dev/null || continue
    read -r _ _ _ _ terminal _ <<<"${stat##*) }"
    [ "$terminal" != 0 ] || echo "${process#/proc/}"
  done
  [ ! -d "$folder/docker" ] ||
    find /sys/fs/cgroup -path "*/$name/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u
}

# A postmaster that is killed cannot release its segment of System V memory; its pid file names it.
release_shared_memory() {
  find "$folder" -maxdepth 3 -name postmaster.pid -exec sed -n 7p {} \; 2>/dev/null |
    while read -r _ segment; do [ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null; done
}

# Ten seconds: a process in uninterruptible disk sleep dies when its read returns.
for _ in $(seq 200); do
  pids="$(inhabitants)"
  [ -n "$pids" ] || break
  # shellcheck disable=SC2086 # one word a process
  kill -KILL $pids 2>/dev/null
  sleep 0.05
done
release_shared_memory
# The one mounted last first, for it may lie in another.
awk '{print $2}' /proc/self/mounts | tac | while read -r mount; do
  case "$mount" in "$folder"/*) umount -l "$mount" ;; esac
done
[ ! -d "$folder/docker" ] || find /sys/fs/cgroup -depth -path "*/$name*" -type d -exec rmdir {} + 2>/dev/null
rm -rf --one-file-system "$folder"
[ -z "$(inhabitants)" ] && [ ! -e "$folder" ]
