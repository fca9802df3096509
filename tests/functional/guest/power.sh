# power.sh: the power button of an Arm board: ACPI's, or a key on a GPIO line of the device tree. "host: press" asks for it.
set -e
fail() { echo "FAILED: $*"; exit 1; }
if [ -d /sys/firmware/acpi/tables ]; then
  for table in DSDT FACP APIC GTDT MCFG PPTT SPCR DBG2; do
    [ -s "/sys/firmware/acpi/tables/$table" ] || fail "no ACPI table $table"
  done
  echo "tables" $(ls /sys/firmware/acpi/tables)
  if dmesg | grep -iE 'ACPI( BIOS)? (Error|Warning|Exception|BUG)|AE_[A-Z]+|DMI.*(invalid|not present)'; then
    fail "the kernel complains about the tables"
  fi
  echo "dmi $(cat /sys/class/dmi/id/product_name)"
fi
button=
for event in /sys/class/input/event*; do
  case $(cat $event/device/name) in *"Power Button"*|gpio-keys) button=${event##*/} ;; esac
done
[ -n "$button" ] || fail "no power button"
dd if=/dev/input/$button of=/tmp/pressed bs=24 count=2 2>/dev/null &
sleep 1
echo "host: press"
wait
[ -s /tmp/pressed ] || fail "the button was not pressed"
echo "pressed"
