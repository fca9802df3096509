# DHCP, then TCP both ways; the host's side is tests/functional/boot_linux.py.
set -e
for word in $(cat /proc/cmdline); do case $word in port=*) port=${word#port=} ;; esac; done
ifconfig eth0 up
udhcpc -i eth0 -n -q -t 10 -T 1 -s /etc/udhcpc/default.script >/dev/null 2>&1
ifconfig eth0 | grep -q 'inet addr:10.0.2.15'
dd if=/dev/urandom of=/tmp/out bs=64k count=64 2>/dev/null
sha256sum /tmp/out | cut -d' ' -f1 | sed 's/^/sent /'
nc 10.0.2.2 $port < /tmp/out
echo listening
nc -l -p 5555 > /tmp/in
sha256sum /tmp/in | cut -d' ' -f1 | sed 's/^/received /'
