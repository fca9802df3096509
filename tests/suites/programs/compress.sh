# xz, zstd, gzip, bzip2, tar: what one compresses the other side has to see byte by byte.
set -e
seq 1 150000 | sed 's/7/seven/g' > data
md5sum data
for tool in 'xz -T4 --block-size=256KiB -6' 'xz -9e' 'zstd -q -T4 -10' 'zstd -q -19' 'gzip -n -9' 'bzip2 -9'; do
  name=${tool%% *}
  command -v $name >/dev/null || continue
  $tool -c data > out/data.$name
  $name -dc out/data.$name | cmp - data && echo "$tool: $(wc -c < out/data.$name)"
done
zstd -q --train programs.list -o out/dict 2>/dev/null || echo no dictionary
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cJf out/all.tar.xz *.sh
tar -tJf out/all.tar.xz | sort | head -3
xz -t out/data.xz && echo intact
printf x | dd of=out/data.xz bs=1 seek=1000 conv=notrunc 2>/dev/null
xz -t out/data.xz 2>/dev/null || echo "damaged: $?"
