#!/bin/sh
# build.sh OUTPUT CC SOURCE…: a 64 KiB ROM from the sources, by rom.ld next to this script.
set -e
dir=$(dirname "$0") out=$1 cc=$2
shift 2
$cc -O1 -ffreestanding -fno-pic -fno-pie -no-pie -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -mno-sse -mno-mmx \
    -Wall -Werror -Wno-unused-but-set-variable -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,"$dir/rom.ld" -o "$out.elf" "$@"
objcopy -O binary --gap-fill 0xff "$out.elf" "$out"
test "$(stat -c %s "$out")" = 65536
