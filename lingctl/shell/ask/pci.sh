#!/bin/sh
# The Ascend cards on the PCI bus as lspci would print them, and of how many devices.
n=0
for d in /sys/bus/pci/devices/*; do
  [ -r "$d/vendor" ] || continue
  n=$((n + 1))
  read -r vendor <"$d/vendor"
  [ "$vendor" = 0x19e5 ] || continue
  read -r device <"$d/device"
  case $device in 0xd[158]0?) echo "${d##*/} Processing accelerators: Device ${device#0x}";; esac
done
echo "pci devices: $n"
