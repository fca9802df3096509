#!/bin/sh
# guest-root.sh: unpack Debian packages of a foreign architecture into a directory, for tests and benches.
#
#   scripts/guest-root.sh [-a ARCH] [-s SUITE] [-m MIRROR] DIRECTORY [PACKAGE...]
#
# Nothing is configured and no maintainer script runs: packages and their dependencies are only unpacked
# (mmdebstrap's "extract" variant), so no emulator is needed. apt's state is private to the run; the machine's own
# package state is not touched. MIRROR defaults to the Debian mirror this machine's apt uses.
set -eu

arch=riscv64
suite=trixie
mirror=
while getopts a:s:m: option; do
    case $option in
        a) arch=$OPTARG ;;
        s) suite=$OPTARG ;;
        m) mirror=$OPTARG ;;
        *) sed -n '4p' "$0" >&2; exit 1 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || { sed -n '4p' "$0" >&2; exit 1; }
root=$1
shift
[ $# -gt 0 ] || set -- bash coreutils python3-minimal perl-base xz-utils zstd sqlite3 openssl

command -v mmdebstrap >/dev/null || { echo "guest-root.sh: mmdebstrap is not installed" >&2; exit 1; }
if [ -z "$mirror" ]; then
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 2>/dev/null |
             awk '$1 == "Debian" && $2 !~ /security/ { print $2; exit }')
fi
[ -n "$mirror" ] || { echo "guest-root.sh: no Debian mirror is configured; use -m" >&2; exit 1; }
[ ! -e "$root" ] || { echo "guest-root.sh: '$root' exists already" >&2; exit 1; }

packages=$(echo "$*" | tr ' ' ',')
mkdir -p "$(dirname "$root")"
mmdebstrap --quiet --variant=extract --architectures="$arch" --include="$packages" "$suite" "$root.tmp" "$mirror"
# No alternatives without maintainer scripts: give the few names programs expect.
for name in awk:mawk cc:gcc c++:g++; do
    link=$root.tmp/usr/bin/${name%%:*}
    [ -e "$link" ] || [ ! -e "$root.tmp/usr/bin/${name##*:}" ] || ln -s "${name##*:}" "$link"
done
[ -e "$root.tmp/bin" ] || for d in bin sbin lib lib64; do
    [ ! -d "$root.tmp/usr/$d" ] || ln -s "usr/$d" "$root.tmp/$d"
done
mv "$root.tmp" "$root"
