#!/usr/bin/env bash
# Prints the path of a Chromium for the tests of the pages, installing one where that is allowed.
# Prints nothing where there is none: those tests then skip and say so. In CI (CI=true) that is a failure.
set -euo pipefail

find_browser() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    if [ -n "$name" ] && command -v "$name"; then return 0; fi
  done
  return 1
}

find_browser && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo 'Installing Chromium for the tests of the pages ...' >&2
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq chromium; } >&2 || echo 'apt-get could not install it.' >&2
  find_browser && exit 0
fi
if [ "${CI:-}" = true ]; then
  echo 'No Chromium, and CI must test the pages.' >&2
  exit 1
fi
echo 'No Chromium: the tests of the pages will be skipped. Install one, or set CHROMIUM to its path.' >&2
