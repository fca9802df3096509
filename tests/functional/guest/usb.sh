# What the guest sees of USB: devices, a disk that is read, written, unplugged and plugged in again, events of input devices.
insmod /tests/hid-generic.ko 2>/dev/null # there already in guests made since
wait_for() {
  n=0
  until eval "$1"; do
    [ $n -lt 3000 ] || { echo "usb: gave up on: $1"; exit 1; }
    sleep 0.1; n=$((n + 1))
  done
}
usb_disk() {
  for b in /sys/block/sd*; do
    [ -e "$b" ] && readlink -f "$b" | grep -q /usb && [ "$(cat "$b/size")" != 0 ] && echo "/dev/${b##*/}" && return 0
  done
  return 1
}
keyboard() { grep -q 'QEMU USB Keyboard' /sys/class/input/event*/device/name 2>/dev/null; }

wait_for 'disk=$(usb_disk)'
wait_for keyboard
for d in /sys/bus/usb/devices/*; do
  [ -e "$d/idVendor" ] && echo "usb: ${d##*/} $(cat "$d/idVendor"):$(cat "$d/idProduct") speed $(cat "$d/speed") product $(cat "$d/product")"
done
for e in /sys/class/input/event*; do echo "input: ${e##*/} $(cat "$e/device/name")"; done
set -e
mount -t ext4 "$disk" /mnt
sha256sum /mnt/from-host | cut -d' ' -f1 | sed 's/^/from-host /'
dd if=/dev/urandom of=/mnt/from-guest bs=64k count=64 2>/dev/null
sha256sum /mnt/from-guest | cut -d' ' -f1 | sed 's/^/from-guest /'
umount /mnt
echo "usb: written"
wait_for '! usb_disk > /tmp/disk'
echo "usb: unplugged"
wait_for 'disk=$(usb_disk)'
mount -t ext4 "$disk" /mnt
sha256sum /mnt/from-guest | cut -d' ' -f1 | sed 's/^/again /'
umount /mnt
for e in /dev/input/event*; do
  (hexdump -v -e '"'"${e##*/}"': " 12/2 "%d " "\n"' < "$e" &)
done
echo "usb: events"
wait_for '! keyboard'
echo "usb: no keyboard"
dmesg | grep -iE 'xhci|usb' | grep -iE 'error|warn|fail|timeout|timed out|not respond|bug' | sed 's/^/complaint: /' || true
echo "usb: done"
