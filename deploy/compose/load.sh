#!/bin/sh
# Writes orders of a made-up shop as JSON lines, `topic value`, forever or COUNT of them, at about RATE a second. Every order
# is settled at once. Cards that end in 7 spend more and are disputed more often.
#   sh load.sh [RATE] [COUNT]
rate=${1:-20} count=${2:-0}
i=0
while [ "$count" -eq 0 ] || [ "$i" -lt "$count" ]; do
  now=$(date +%s)
  awk -v now="$now" -v from="$i" -v n="$rate" 'BEGIN {
    srand(now + from)
    for (k = 0; k < n; k++) {
      id = from + k; card = "c" int(rand() * 200); bad = card ~ /7$/
      amount = (bad ? 80 : 20) * (0.2 + 2 * rand())
      country = substr("DEFRUSGB", 1 + 2 * int(rand() * 4), 2)
      printf "placed {\"id\":\"%d-%d\",\"at\":%d,\"card\":\"%s\",\"amount\":%.2f,\"country\":\"%s\"}\n", now, id, now, card, amount, country
      disputed = (bad && rand() < 0.4 || rand() < 0.02) ? "true" : "false"
      printf "settled {\"id\":\"%d-%d\",\"at\":%d,\"card\":\"%s\",\"disputed\":%s}\n", now, id, now, card, disputed
    }
  }'
  i=$((i + rate))
  [ "$count" -ne 0 ] || sleep 1
done
