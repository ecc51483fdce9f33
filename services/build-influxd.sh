#!/bin/sh
# build-influxd.sh DIRECTORY VERSION: builds InfluxDB 2 as DIRECTORY/influxd from its published sources: Go modules,
# and the crate of its query language Flux. No registry of packages has InfluxDB 2 as a program.
# Takes 5 to 15 minutes. Needs Go 1.21 or newer, which fetches the one that InfluxDB asks for, Rust 1.72 or newer (rustup
# or a system's cargo), a C compiler and pkg-config.
set -eu

destination=${1:?usage: build-influxd.sh DIRECTORY VERSION}
version=${2:?usage: build-influxd.sh DIRECTORY VERSION}
destination=$(cd "$destination" && pwd)

need() { # need COMMAND WHERE-FROM
  command -v "$1" >/dev/null && return
  echo "$1 is missing, which InfluxDB is built with: $2. Or use docker compose" >&2
  exit 1
}
# The oldest Go that fetches a newer one by itself, and the Rust of Flux's own Cargo.toml.
oldest_go=1.21
oldest_rust=1.72
need go "install Go $oldest_go or newer from https://go.dev/dl"
need cargo "install Rust $oldest_rust or newer from https://rustup.rs"
need cc "apt-get install build-essential"
need pkg-config "apt-get install pkg-config"

not_older() { # not_older VERSION WANTED
  [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}
has_go=$(GOTOOLCHAIN=local go version | sed 's/^go version go\([0-9.]*\).*/\1/')
not_older "$has_go" "$oldest_go" || {
  echo "Go $oldest_go or newer is needed, this is $has_go: https://go.dev/dl. Or use docker compose" >&2
  exit 1
}
has_rust=$(cargo --version | cut -d' ' -f2)
not_older "$has_rust" "$oldest_rust" || {
  echo "Rust $oldest_rust or newer is needed, this is $has_rust: https://rustup.rs. Or use docker compose" >&2
  exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work"
export GOFLAGS=-mod=mod

# A module of our own that needs only InfluxDB: Go takes the versions of everything else from InfluxDB's own list.
cat >go.mod <<GOMOD
module influxdbuild

go 1.23.0

require github.com/influxdata/influxdb/v2 v$version
GOMOD
version_of() { go list -m -f '{{.Version}}' "$1"; }
echo "Go modules"
pkg_config=$(version_of github.com/influxdata/pkg-config)
# InfluxData's pkg-config finds out what to build by looking for Flux in go.mod itself.
flux=$(version_of github.com/influxdata/flux)
go mod edit -require="github.com/influxdata/flux@$flux"
GOFLAGS="" GOBIN="$work/bin" go install "github.com/influxdata/pkg-config@$pkg_config"

# It calls cargo by this name. The features that are left out carry deny(warnings), and newer compilers do warn.
cat >bin/cargo-flux <<'CARGO'
#!/bin/sh
exec cargo "$@" --locked -p flux --no-default-features --features cffi
CARGO
chmod +x bin/cargo-flux
export PKG_CONFIG="$work/bin/pkg-config" CARGO="$work/bin/cargo-flux"
# The crate asks rustup for an old compiler; the one that is installed does.
if [ -z "${RUSTUP_TOOLCHAIN:-}" ] && command -v rustup >/dev/null; then
  RUSTUP_TOOLCHAIN=$(rustup default | cut -d' ' -f1)
  export RUSTUP_TOOLCHAIN
fi
# Optimising across crates doubles the time and gains nothing here.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=4

echo "Flux $flux (Rust)"
"$PKG_CONFIG" --cflags -- flux >flux.log 2>&1 || { tail -n 50 flux.log >&2; exit 1; }

echo "influxd $version (Go)"
go build -tags sqlite_foreign_keys,sqlite_json -ldflags="-s -w -X main.version=v$version" \
  -o "$destination/influxd.part" github.com/influxdata/influxdb/v2/cmd/influxd
mv "$destination/influxd.part" "$destination/influxd"
echo "built"
