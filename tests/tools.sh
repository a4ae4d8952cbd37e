# shellcheck shell=bash
# Sourced by test.sh: finds the programs that the tests run, and gets those that are missing. Nothing here starts a program, and of
# the system only the compiler's packages are installed: prometheus, etcd and kubectl are unpacked into artifacts/tools, so that no
# daemon of theirs is left behind.

TOOLS="$REPOSITORY/artifacts/tools"
APT_ROOT="$TOOLS/apt"

have() { [ -n "$(find_program "$1")" ]; }

# Where the end-to-end tests look, in their order: here, then on the PATH.
find_in_folders() {
  local folder
  for folder in "${KUBEBUILDER_ASSETS:-}" "$TOOLS"; do
    if [ -n "$folder" ] && [ -x "$folder/$1" ]; then
      echo "$folder/$1"
      return
    fi
  done
  return 1
}

find_program() { find_in_folders "$1" || command -v "$1" || true; }

# Runs a command as root: as_root WHAT-FOR COMMAND...
as_root() {
  local purpose=$1 run=()
  shift
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "to $purpose this script needs root or sudo"
    run=(sudo)
  fi
  "${run[@]}" "$@"
}

# Installs system packages by name: install_packages PACKAGE...
install_packages() {
  local policy=/usr/sbin/policy-rc.d ours="" status=0
  say "Installing $*"
  # Says to every package: do not start your daemon.
  if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root "install $*" tee "$policy" >/dev/null
    as_root "install $*" chmod +x "$policy"
  fi
  {
    as_root "install $*" apt-get -qq update &&
      as_root "install $*" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >/dev/null
  } || status=$?
  [ -z "$ours" ] || as_root "install $*" rm -f "$policy"
  [ "$status" -eq 0 ] || fail "apt-get could not install $*"
}

# An apt of our own, which looks at one suite and knows no installed packages: private_apt SUITE COMMAND...
private_apt() {
  local suite=$1 root="$APT_ROOT/$1" from
  shift
  if [ ! -e "$root/updated" ]; then
    mkdir -p "$root/etc" "$root/lists/partial" "$root/archives/partial"
    : >"$root/status"
    from=$(mirror)
    printf '%s [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s '"$suite"' main\n' \
      deb "$from" deb-src "$from" >"$root/etc/sources.list"
    private_apt_get "$root" -qq update
    touch "$root/updated"
  fi
  private_apt_get "$root" "$@"
}

private_apt_get() {
  local root=$1
  shift
  apt-get -o "Dir::Etc::sourcelist=$root/etc/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$root/lists" \
    -o "Dir::State::status=$root/status" -o "Dir::Cache=$root" -o "Dir::Cache::archives=$root/archives" \
    -o "APT::Sandbox::User=$(id -un)" "$@"
}

mirror_of() { apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | sed -n "s/^$1 //p" | head -n 1; }

# The machine's own Debian mirror.
mirror() {
  local codename uri
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
  uri=$(mirror_of "$codename")
  if [ -z "$uri" ]; then
    # On a new machine apt has read no list yet, and then it knows of no mirror.
    as_root "read Debian's package lists" apt-get -qq update >&2
    uri=$(mirror_of "$codename")
  fi
  [ -n "$uri" ] || fail "apt's sources name no Debian mirror for $codename"
  echo "$uri"
}

# Unpacks packages of a suite into a folder, without installing them: unpack SUITE FOLDER PACKAGE...
unpack() {
  local suite=$1 folder=$2 work package
  shift 2
  work=$(mktemp -d "$TOOLS/unpack.XXXXXX")
  (cd "$work" && private_apt "$suite" -qq download "$@") || fail "cannot get $* of Debian $suite"
  mkdir -p "$folder"
  for package in "$work"/*.deb; do
    dpkg -x "$package" "$folder"
  done
  rm -rf "$work"
}

# get_program SUITE PACKAGE PATH-IN-PACKAGE [new|old [NAME]]: a program that needs nothing but libc. "new", "old": one on the PATH may be
# of another age. NAME: what it is called here.
get_program() {
  local name=${5:-${3##*/}} folder
  if [ -n "${4:-}" ]; then
    find_in_folders "$name" >/dev/null && return
  else
    have "$name" && return
  fi
  say "Getting $name (Debian package $2, $1)"
  folder=$(mktemp -d "$TOOLS/get.XXXXXX")
  unpack "$1" "$folder" "$2"
  install -m 755 "$folder/$3" "$TOOLS/$name"
  rm -rf "$folder"
}

# kube-apiserver and kube-controller-manager: given, or beside the repository, or built.
get_control_plane() {
  local name packed
  for name in kube-apiserver kube-controller-manager; do
    have "$name" && continue
    packed="$REPOSITORY/../shared/kube-assets/$name.xz"
    if [ -e "$packed" ]; then
      say "Unpacking $name"
      command -v xz >/dev/null || install_packages xz-utils
      xz -dc "$packed" >"$TOOLS/$name.part"
      chmod +x "$TOOLS/$name.part"
      mv "$TOOLS/$name.part" "$TOOLS/$name"
    else
      "$REPOSITORY/tests/build-control-plane.sh" "$TOOLS"
      return
    fi
  done
}

# What only the end-to-end tests need.
get_tools() {
  local codename
  mkdir -p "$TOOLS"
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
  command -v openssl >/dev/null || install_packages openssl
  command -v curl >/dev/null || install_packages curl
  get_program "$codename" etcd-server usr/bin/etcd
  # bookworm's are older than anybody's: Prometheus 3 has windows that are open on the left, and extrapolates otherwise at zero.
  get_program sid prometheus usr/bin/prometheus new
  get_program sid promtool usr/bin/promtool new
  # What tables look like is kubectl's business too: the newest, and one as old as the kube-apiserver here.
  get_program sid kubectl usr/bin/kubectl new
  get_program bookworm kubernetes-client usr/bin/kubectl old kubectl-1.20
  get_control_plane
}

# NativeAOT links with clang or gcc.
get_linker() {
  if command -v clang >/dev/null || { command -v gcc >/dev/null && [ -e "$(gcc -print-file-name=crt1.o)" ]; }; then
    return
  fi
  install_packages gcc libc6-dev
}
