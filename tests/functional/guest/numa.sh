# What the kernel knows of nodes: their processors, memory in MiB, distances.
for node in /sys/devices/system/node/node[0-9]*; do
  echo "${node##*/}: cpus $(cat $node/cpulist) mib $(($(grep MemTotal $node/meminfo | sed 's/.*: *//; s/ kB//') / 1024)) distance $(cat $node/distance)"
done
