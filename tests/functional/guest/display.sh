# What the guest sees of screens and input devices; then a picture on /dev/fb0 and the events that come from outside.
for d in /sys/class/graphics/fb*; do
  [ -e "$d/name" ] && echo "fb: $(cat $d/name) $(cat $d/virtual_size) $(cat $d/bits_per_pixel)"
done
for c in /sys/class/drm/card*-*; do
  [ -e "$c/status" ] && echo "connector: ${c##*/} $(cat $c/status) $(head -1 $c/modes) edid $(md5sum < $c/edid | cut -c1-8) $(wc -c < $c/edid)"
done
for i in /sys/class/input/input*; do
  [ -e "$i/name" ] && echo "input: $(cat $i/name) key=$(cat $i/capabilities/key) rel=$(cat $i/capabilities/rel) abs=$(cat $i/capabilities/abs) led=$(cat $i/capabilities/led)"
done
if [ -e /dev/fb0 ]; then
  printf '\033[?25l' > /dev/tty0 # the console's cursor is where the firmware left it: hide it
  # Bars: 4096 bytes of one byte value each, over and over.
  for n in 000 040 100 140 200 240 300 340; do head -c 4096 /dev/zero | tr '\000' "\\$n"; done > /tmp/bars
  for n in 1 2 3 4 5 6 7 8; do cat /tmp/bars; done > /dev/fb0
  echo "display: drawn"
fi
# Each is open before "ready" is said: what comes from then on is kept for its reader. File descriptors have one digit here.
events() { hexdump -v -e '"'"$1"': " 12/2 "%d " "\n"'; }
fd=3
for e in /dev/input/event*; do
  [ -e "$e" ] || continue
  eval "exec $fd< $e"
  eval "events ${e##*/} <&$fd &"
  fd=$((fd + 1))
done
echo "display: ready"
read -r line
echo "display: $line"
