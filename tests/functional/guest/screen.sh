# A picture on the screen that stands still; then every event of every input device.
insmod /tests/hid-generic.ko 2>/dev/null # there already in guests made since
printf '\033[?25l' > /dev/tty0
n=0
until [ -e /dev/fb0 ] && grep -q . /sys/class/input/event*/device/name 2>/dev/null; do
  [ $n -lt 600 ] || { echo "screen: gave up"; exit 1; }
  sleep 0.1; n=$((n + 1))
done
for word in $(cat /proc/cmdline); do
  case $word in
    wait=*) # for this many input devices
      while [ "$(ls /sys/class/input | grep -c '^event')" -lt "${word#wait=}" ] && [ $n -lt 900 ]; do sleep 0.1; n=$((n + 1)); done ;;
  esac
done
for e in /sys/class/input/event*; do echo "input: ${e##*/} $(cat "$e/device/name")"; done
# Noise and steps of grey and colour.
{ head -c 1000000 /bin/busybox; for n in 000 040 100 140 200 240 300 340 377; do head -c 65536 /dev/zero | tr '\000' "\\$n"; done; cat /bin/busybox; } > /tmp/picture
cat /tmp/picture /tmp/picture > /dev/fb0 2>/dev/null
# Each is open before "ready" is said: what comes from then on is kept for its reader. File descriptors have one digit here.
events() { hexdump -v -e '"'"$1"': " 12/2 "%d " "\n"'; }
fd=3
for e in /dev/input/event*; do
  [ -e "$e" ] || continue
  eval "exec $fd< $e"
  eval "events ${e##*/} <&$fd &"
  fd=$((fd + 1))
done
echo "screen: ready"
read -r line
