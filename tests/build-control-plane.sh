#!/usr/bin/env bash
# Builds kube-apiserver and kube-controller-manager 1.20.2 from Debian bookworm's source package, for machines that have neither:
#   tests/build-control-plane.sh FOLDER
# The vendored reflect2 1.0.1 crashes when it is compiled by Go 1.18 or later, at the first map that is encoded; Debian's own package
# of 1.0.2 takes its place. Takes about ten minutes on two cores and 4 GB in a temporary folder; the result is kept in
# ~/.cache/smi-metrics and copied from there the next time.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "$0")/.." && pwd)
FOLDER=$(mkdir -p "$1" && cd "$1" && pwd)
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/smi-metrics/kubernetes-1.20.2"
PROGRAMS=(kube-apiserver kube-controller-manager)

say() { printf '==> %s\n' "$*"; }
fail() { printf 'tests/build-control-plane.sh: %s\n' "$*" >&2; exit 1; }
# shellcheck source=tests/tools.sh
. "$REPOSITORY/tests/tools.sh"

if ! { [ -x "$CACHE/${PROGRAMS[0]}" ] && [ -x "$CACHE/${PROGRAMS[1]}" ]; }; then
  mkdir -p "$TOOLS"
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/smi-metrics-kubernetes.XXXXXX")
  trap 'chmod -R u+w "$WORK"; rm -rf "$WORK"' EXIT

  say "Getting Kubernetes' source and Go 1.19 (Debian bookworm)"
  unpack bookworm "$WORK/tools" golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev make
  (cd "$WORK" && private_apt bookworm -qq source --download-only kubernetes)
  SOURCE="$WORK/go/src/k8s.io/kubernetes"
  mkdir -p "$SOURCE"
  tar -xzf "$WORK"/kubernetes_*.orig.tar.gz -C "$SOURCE" --strip-components=1

  REFLECT2=github.com/modern-go/reflect2
  rm -rf "${SOURCE:?}/vendor/$REFLECT2"
  cp -r "$WORK/tools/usr/share/gocode/src/$REFLECT2" "$SOURCE/vendor/$REFLECT2"

  # Of rsync the build wants only "rsync -pc FROM TO".
  printf '#!/bin/sh\nshift\nexec cp -p "$@"\n' >"$WORK/tools/usr/bin/rsync"
  chmod +x "$WORK/tools/usr/bin/rsync"

  cat >"$WORK/version.sh" <<VERSION
KUBE_GIT_COMMIT=unknown
KUBE_GIT_TREE_STATE=archive
KUBE_GIT_VERSION=v1.20.2
KUBE_GIT_MAJOR=1
KUBE_GIT_MINOR=20
VERSION

  say "Building ${PROGRAMS[*]} (about ten minutes)"
  (
    export GOROOT="$WORK/tools/usr/lib/go-1.19" GOPATH="$WORK/go" GOCACHE="$WORK/cache" HOME="$WORK" CGO_ENABLED=0
    export PATH="$GOROOT/bin:$WORK/tools/usr/bin:$PATH" KUBE_GIT_VERSION_FILE="$WORK/version.sh"
    cd "$SOURCE"
    make --silent WHAT="$(printf 'cmd/%s ' "${PROGRAMS[@]}")" GOLDFLAGS="-s -w"
  ) || fail "the build failed"

  mkdir -p "$CACHE"
  for program in "${PROGRAMS[@]}"; do
    install -m 755 "$SOURCE/_output/bin/$program" "$CACHE/$program"
  done
fi

for program in "${PROGRAMS[@]}"; do
  install -m 755 "$CACHE/$program" "$FOLDER/$program"
done
