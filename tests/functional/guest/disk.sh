# A disk is read, written and left clean; the host compares what is on it afterwards.
set -e
# Disks other than virtio's are found in the background.
n=0; disk=
while [ -z "$disk" ] && [ $n -lt 300 ]; do
  for name in vda sda nvme0n1; do [ -b /dev/$name ] && disk=/dev/$name; done
  [ -n "$disk" ] || { sleep 0.1; n=$((n + 1)); }
done
mount -t ext4 $disk /mnt
sha256sum /mnt/from-host | cut -d' ' -f1 | sed 's/^/from-host /'
dd if=/dev/urandom of=/mnt/from-guest bs=64k count=128 2>/dev/null
mkdir -p /mnt/tree
n=0; while [ $n -lt 200 ]; do echo $n > /mnt/tree/$n; n=$((n + 1)); done
rm /mnt/tree/1*
sha256sum /mnt/from-guest | cut -d' ' -f1 | sed 's/^/from-guest /'
umount /mnt
