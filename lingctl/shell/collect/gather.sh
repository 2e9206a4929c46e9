#!/bin/sh
# What a node can tell about a failure, as an archive on standard output, laid out as ascend-fd reads it.
# $1 inside.sh, $2 look_inside.sh, $3 the cluster's folder, $4 container, $5 rank, $6 size that files are below,
# as find says, $7 how many files at most, $8 most bytes that a container gives which does not run, $9 places of
# MindIE's logs, then the cards
# shellcheck disable=SC2154
umask 077
inside=$1 look=$2 cluster=$3 name=$4 rank=$5 most=$6 files=$7 copied=$8 mindie=$9
d=$(mktemp -d 2>/dev/null || mktemp -d -p /dev/shm) || exit 1
trap 'rm -rf "$d"' EXIT
cd "$d" || exit 1
mkdir -p lingctl process_log mindie/log/debug environment_check device_log atb_log
said() {
  out=$1
  shift
  { echo "\$ $*"; timeout 60 "$@"; echo "exit status $?"; echo; } >>"$out" 2>&1 </dev/null
}
# The container may write in the cluster's folder: what a link there leads to is no evidence of ours, a pipe would
# be waited for, and a file may have no end.
own() { [ -f "$1" ] && [ ! -L "$1" ]; }
end_of() { [ -r "$1" ] && tail -c "$2" "$1" >"$3"; }
end_of_own() { own "$1" && end_of "$@"; }

cp -rP "$cluster/release" lingctl/ 2>/dev/null
cp -P "$cluster"/audit.log* lingctl/ 2>/dev/null
for file in daemon.pid daemon.exit started last-started log-sizes; do
  end_of_own "$cluster/run/$file" 5000000 "lingctl/$file"
done
start=$(sed -n 2p lingctl/started 2>/dev/null)
timeout 60 "$runtime" exec "$name" sh -c "$look" sh "$cluster/run/daemon.pid" "$start" >lingctl/daemon.state 2>/dev/null
end_of_own "$cluster/run/console.log" 20000000 "worker-$rank.log"
end_of_own "$cluster/run/console.log.1" 5000000 lingctl/console-before.log
ls -lR "$cluster" >lingctl/files.txt 2>&1
for record in "$cluster"/releases/*.json; do own "$record" && head -n 1 "$record"; done >lingctl/releases.txt 2>/dev/null
for job in "$cluster"/jobs/*/; do
  [ -d "$job" ] || continue
  mkdir -p lingctl/jobs
  end_of_own "$job/out" 200000 "lingctl/jobs/$(basename "$job").out"
  end_of_own "$job/err" 200000 "lingctl/jobs/$(basename "$job").err"
done

said lingctl/runtime.txt "$runtime" version
said lingctl/runtime.txt "$runtime" ps -a
said lingctl/container.json "$runtime" inspect "$name"
said lingctl/container-log.txt "$runtime" logs --tail 2000 "$name"

# In the container the newest files of moderate size; of one that does not run what comes first.
take() {
  "$runtime" exec "$name" sh -c "$inside" sh "$1" "$most" "$files" 2>/dev/null |
    tar -xf - -C "$2" --no-same-owner 2>/dev/null ||
  "$runtime" cp "$name:$1/." - 2>/dev/null | head -c "$copied" | tar -xf - -C "$2" --no-same-owner 2>/dev/null
}
take /root/ascend/log process_log
take /root/atb/log atb_log
for place in $mindie; do take "$place" mindie/log/debug; done

dmesg -T 2>/dev/null | tail -n 100000 >dmesg || dmesg 2>/dev/null | tail -n 100000 >dmesg
for file in /var/log/messages /var/log/syslog; do end_of "$file" 5000000 messages; done
if cd /var/log/npu 2>/dev/null; then
  find slog -type f -size "-$most" -mtime -2 2>/dev/null | head -n "$files" | tar -cf - -T - 2>/dev/null |
    tar -xf - -C "$d/device_log" 2>/dev/null
  cd "$d" || exit 1
fi

said environment_check/npu_info_after.txt npu-smi info
said environment_check/npu_info_after.txt npu-smi info -m
said environment_check/npu_info_after.txt npu-smi info -t topo
shift 9
for card; do
  for what in health ecc usages; do
    said environment_check/npu_info_after.txt npu-smi info -t "$what" -i "$card"
  done
  for what in link net_health ip gateway tls stat; do
    said environment_check/npu_info_after.txt hccn_tool -i "$card" "-$what" -g
  done
done
said lingctl/host.txt uname -a
said lingctl/host.txt date
said lingctl/host.txt uptime
said lingctl/host.txt free -m
said lingctl/host.txt df -h
said lingctl/host.txt ss -ltnp
said lingctl/host.txt ps -eo pid,ppid,stat,etime,rss,args
end_of /usr/local/Ascend/driver/version.info 100000 lingctl/driver.txt
find . -type d -empty -delete
tar -czf - .
