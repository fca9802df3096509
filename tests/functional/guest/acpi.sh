# acpi.sh: what the firmware of a PC told this kernel, the power button, suspend to RAM. Messages "host: …" ask for something.
set -e
fail() { echo "FAILED: $*"; exit 1; }
cd /sys/firmware/acpi/tables
for table in DSDT FACP APIC FACS; do
  [ -s "$table" ] || fail "no ACPI table $table"
done
echo "tables" *
if dmesg | grep -iE 'ACPI( BIOS)? (Error|Warning|Exception|BUG)|AE_[A-Z]+|DMI.*(invalid|not present)'; then
  fail "the kernel complains about the tables"
fi
cd /sys/class/dmi/id
for name in sys_vendor product_name product_version product_serial product_uuid chassis_vendor; do
  echo "dmi $name=$(cat $name 2>/dev/null)"
done
grep -q 'acpi$' /proc/interrupts || fail "no ACPI interrupt"
[ ! -e /sys/firmware/qemu_fw_cfg/by_name/opt/greeting/raw ] || echo "fw_cfg greeting=$(cat /sys/firmware/qemu_fw_cfg/by_name/opt/greeting/raw)"

# The power button is an input device; an event is 24 bytes, a press and a release with their markers are four.
button=
for event in /sys/class/input/event*; do
  case $(cat $event/device/phys) in LNXPWRBN*|PNP0C0C*) button=${event##*/} ;; esac
done
[ -n "$button" ] || fail "no power button"
dd if=/dev/input/$button of=/tmp/pressed bs=24 count=4 2>/dev/null &
sleep 1
echo "host: press"
wait
[ -s /tmp/pressed ] || fail "the button was not pressed"
echo "pressed"

case $(cat /sys/power/state) in
*mem*)
  echo deep > /sys/power/mem_sleep 2>/dev/null || true
  grep -q '\[deep\]' /sys/power/mem_sleep || fail "no suspend to RAM"
  date > /tmp/before
  echo "host: wake"
  echo mem > /sys/power/state
  [ -s /tmp/before ] || fail "memory is lost"
  echo "awake"
  ;;
*) echo "no suspend" ;;
esac
