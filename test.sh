#!/usr/bin/env bash
# Runs every test of this repository and says how many passed.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "$0")" && pwd)
cd "$REPOSITORY"

usage() {
  cat <<'USAGE'
usage: ./test.sh [--unit]

Builds the server and runs all tests: those of the code, and those against a real etcd, kube-apiserver, Prometheus and kubectl, with the
framework build of the server or its NativeAOT build, and the most important with both. Needs Debian with the .NET 10 SDK. What else is needed is
fetched as Debian packages: a compiler is installed (as root or with sudo), everything else is unpacked into artifacts/tools. What is
there already is used, and nothing is fetched twice.

  --unit    only the tests of the code: no cluster, no NativeAOT
  --help    this text

Environment:
  KUBEBUILDER_ASSETS           folder with kube-apiserver and kube-controller-manager (and etcd, kubectl), looked at first
  SMI_METRICS_END_TO_END       "required": a skipped end-to-end test is a failed one. The default here; "optional" turns it off
  SMI_METRICS_AT_ONCE          how many tests run at once; one more than there are processors by default
  UPDATE_GOLDEN                "1" writes what the golden files are compared with into them

Ends with one line, "N passed, N failed", and with status 0 only if all passed.
USAGE
}

UNIT_ONLY=""
for argument in "$@"; do
  case "$argument" in
    --unit) UNIT_ONLY=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
done

export SMI_METRICS_END_TO_END="${SMI_METRICS_END_TO_END:-required}"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
# No build server of ours outlives the run.
export DOTNET_CLI_USE_MSBUILD_SERVER=0 MSBUILDDISABLENODEREUSE=1
# Compilers, suites and servers here end before optimizing by profile pays: without it a build takes a fifth less.
export DOTNET_TieredPGO=0

# The one place that says how many things run at once: tests of a suite, and projects that are built.
# One more than there are processors, since most wait for something now and then.
AT_ONCE="${SMI_METRICS_AT_ONCE:-$(($(nproc) + 1))}"

RESULTS="$REPOSITORY/artifacts/test-results"
BIN="$REPOSITORY/artifacts/bin"
PASSED=0
FAILED=0

say() { printf '==> %s\n' "$*"; }

# Whatever stops the run, its last line says that it did not pass.
closing_line() { printf '%d passed, %d failed\n' "$PASSED" "$FAILED"; }
fail() {
  printf 'test.sh: %s\n' "$*" >&2
  FAILED=$((FAILED + 1))
  exit 1
}
finish() {
  local status=$?
  [ "$status" -eq 0 ] || [ "$FAILED" -gt 0 ] || FAILED=1
  closing_line
  [ "$FAILED" -eq 0 ] || exit 1
}
trap finish EXIT
# A suite that is running ends with this script, and the servers that it has started end with it.
SUITE=""
PUBLISH=""
stop() {
  [ -z "$SUITE" ] || kill -KILL "$SUITE" 2>/dev/null || true
  [ -z "$PUBLISH" ] || kill "$PUBLISH" 2>/dev/null || true
  exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM

# shellcheck source=tests/tools.sh
. "$REPOSITORY/tests/tools.sh"

# The sum of one attribute over the assemblies of an xunit result file.
result() { sed -n "s/.*<assembly [^>]*[[:space:]]$2=\"\([0-9]*\)\".*/\1/p" "$1" | awk '{ sum += $1 } END { print sum + 0 }'; }

# run_suite NAME PROJECT SKIPPED-TESTS-FAIL [ARGUMENT...]
run_suite() {
  local name=$1 project=$2 skips_fail=$3 file status=0 passed failed skipped
  shift 3
  file="$RESULTS/$name.xml"
  say "Testing: $name"
  rm -f "$file"
  "$BIN/$project/release/$project" -noColor -noLogo -maxThreads "$AT_ONCE" -xml "$file" "$@" &
  SUITE=$!
  wait "$SUITE" || status=$?
  SUITE=""
  if [ ! -s "$file" ]; then
    FAILED=$((FAILED + 1))
    echo "test.sh: $name ended with status $status and left no results" >&2
    return
  fi
  passed=$(result "$file" passed)
  skipped=$(result "$file" skipped)
  failed=$(($(result "$file" failed) + $(result "$file" errors)))
  if [ -n "$skips_fail" ]; then
    failed=$((failed + skipped))
  fi
  if [ $((passed + failed)) -eq 0 ] && [ "$skipped" -eq 0 ]; then
    echo "test.sh: $name has no tests" >&2
    failed=1
  elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
    echo "test.sh: $name ended with status $status" >&2
    failed=1
  fi
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
  say "$name: $passed passed, $failed failed, $skipped skipped"
}

# One compiler for all projects, so that only the first waits until it is warm. It is ours alone, and ends with the build.
build() {
  local compiler="smi-metrics-$$" status=0 process
  dotnet build SmiMetrics.sln -c Release -v quiet -nologo -m:"$AT_ONCE" -p:UseSharedCompilation=true -p:SharedCompilationId="$compiler" || status=$?
  for process in /proc/[0-9]*; do
    if grep -qsF -- "-pipename:$compiler" "$process/cmdline"; then
      kill "${process#/proc/}" 2>/dev/null || true
    fi
  done
  return "$status"
}

# A warning about code of ours is a failure; a package may warn about itself (IL2104, IL3053: "Assembly 'X' produced …").
# The same code has just been built, and looked at by the analyzers.
publish_aot() {
  nice -n 5 dotnet publish src/SmiMetrics -c Release -r linux-x64 -p:PublishAot=true -p:RunAnalyzers=false -o artifacts/aot -v minimal -nologo >"$RESULTS/aot.log" 2>&1
}
check_aot() {
  local log="$RESULTS/aot.log"
  if ! wait "$PUBLISH"; then
    cat "$log" >&2
    fail "the NativeAOT publish failed"
  fi
  PUBLISH=""
  if grep -E 'warning (IL|ILC|AOT|TRIM)' "$log" | grep -vE "Assembly '[^']*' produced" >&2; then
    fail "the NativeAOT publish warns about our code"
  fi
}

# What git says of the working tree; nothing where there is no git.
tree() { git -C "$REPOSITORY" status --porcelain 2>/dev/null || true; }

command -v dotnet >/dev/null || fail "the .NET 10 SDK is missing: no dotnet on the PATH"
mkdir -p "$RESULTS"
TREE=$(tree)
if [ -z "$UNIT_ONLY" ]; then
  get_linker
  get_tools
fi

say "Building"
build || fail "the build failed"

if [ -z "$UNIT_ONLY" ]; then
  # Beside the suites, and behind them: they wait for something half of the time.
  say "Publishing the server as NativeAOT"
  publish_aot &
  PUBLISH=$!
fi

run_suite unit SmiMetrics.Tests ""

if [ -z "$UNIT_ONLY" ]; then
  REQUIRED=""
  [ "$SMI_METRICS_END_TO_END" != required ] || REQUIRED=yes
  # Which tests run with which build is said in tests/SmiMetrics.EndToEnd/Runs.cs.
  SMI_METRICS_SERVER="$BIN/SmiMetrics/release/smi-metrics" run_suite end-to-end-framework SmiMetrics.EndToEnd "$REQUIRED" -trait- runs=published
  check_aot
  SMI_METRICS_SERVER="$REPOSITORY/artifacts/aot/smi-metrics" run_suite end-to-end-aot SmiMetrics.EndToEnd "$REQUIRED" -trait- runs=once
fi

# Tests read the repository and write into artifacts alone, unless they are told to renew golden files.
if [ "${UPDATE_GOLDEN:-}" != 1 ] && [ "$(tree)" != "$TREE" ]; then
  FAILED=$((FAILED + 1))
  printf 'test.sh: the tests have changed the working tree:\n%s\n' "$(tree)" >&2
fi
