# board.sh: a board's own devices: what is on its SD card, a picture on its frame buffer, what "devices=" on the command line asks for.
set -e
want=
for word in $(cat /proc/cmdline); do
  case $word in devices=*) want=${word#devices=} ;; esac
done
# Twice: what another one needs may come after it.
for module in /tests/*.ko /tests/*.ko; do [ -e "$module" ] && insmod "$module" 2>/dev/null || true; done
n=0
while [ ! -b /dev/mmcblk0 ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n + 1)); done
mount -t ext4 /dev/mmcblk0 /mnt
sha256sum /mnt/from-host | cut -d' ' -f1 | sed 's/^/from-host /'
dd if=/dev/urandom of=/mnt/from-guest bs=64k count=64 2>/dev/null
sha256sum /mnt/from-guest | cut -d' ' -f1 | sed 's/^/from-guest /'
mkdir -p /mnt/tree
n=0; while [ $n -lt 100 ]; do echo $n > /mnt/tree/$n; n=$((n + 1)); done
umount /mnt
case $want in
*hwrng*) [ "$(dd if=/dev/hwrng bs=64 count=1 2>/dev/null | tr -d '\000' | wc -c)" -gt 32 ] && echo "hwrng works" ;;
esac
case $want in
*thermal*) echo "temperature $(cat /sys/class/thermal/thermal_zone0/temp)" ;;
esac
if [ -e /dev/fb0 ]; then
  printf '\033[?25l' > /dev/tty0 2>/dev/null || true # no blinking cursor
  # Each pixel is its own place: 16 bits of a counter, over and over.
  n=0
  while [ $n -lt 256 ]; do printf "\\$(printf '%03o' $n)\\$(printf '%03o' $((255 - n)))"; n=$((n + 1)); done > /tmp/line
  n=0; while [ $n -lt 64 ]; do cat /tmp/line; n=$((n + 1)); done > /tmp/picture
  cat /tmp/picture > /dev/fb0
  echo "drawn $(cat /sys/class/graphics/fb0/virtual_size)"
  [ "${want#*picture}" = "$want" ] || sleep 8
fi
