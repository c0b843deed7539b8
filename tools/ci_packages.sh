#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what tests and the bench use of the system and the machine lacks. Only root can, and only where there is apt; elsewhere it says what is missing.
set -euo pipefail

# Program or file -> Debian's package that has it.
wanted=(
  "nginx nginx-light"
  "h2load nghttp2-client"
  "gcc gcc"
  "openssl openssl"
  "/usr/include/stdio.h libc6-dev"
  "valgrind valgrind"
  "/usr/include/nghttp2/nghttp2.h libnghttp2-dev"
)

missing=()
for row in "${wanted[@]}"; do
  read -r program package <<<"$row"
  # Administrators' programs are not on every user's path.
  PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || [ -e "$program" ] || missing+=("$package")
done

if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "not on this machine: ${missing[*]} (names of Debian's packages)" >&2
  exit 0
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# In runlevel 1 no service is started: nginx is run by the bench alone.
RUNLEVEL=1 apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null
