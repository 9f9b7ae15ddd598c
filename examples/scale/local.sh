#!/bin/sh
# The same sweep on this machine, one process a share:
#   local.sh MODEL TEXT OUT [SHARDS]
set -eu
model=$1 text=$2 out=$3 shards=${4:-7}

mkdir -p "$out"
i=0 pids=
while [ "$i" -lt "$shards" ]; do
	infer geometry "$model" -f "$text" --shard "$i/$shards" --part "$out/part-$i.json" &
	pids="$pids $!"
	i=$((i + 1))
done
for pid in $pids; do
	wait "$pid"
done
infer merge --models "$out"/part-*.json -o "$out/report"
