# A guest of the guest's KVM. Its files come with the test.
cd /nested || exit 1
[ -c /dev/kvm ] || { echo "no /dev/kvm"; exit 1; }
dmesg | grep -i 'kvm\|vgic' | head -8
./kvm-client kernel initrd.gz dtb 2
