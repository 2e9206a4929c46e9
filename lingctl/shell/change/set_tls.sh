#!/bin/sh
# Switch TLS of a card's network on or off. $1 hccn_tool, $2 card, $3 value.
# The text decides: one exit status of hccn_tool has several meanings. Three answers say "not now".
PATH=$PATH:/usr/local/Ascend/driver/tools
LC_ALL=C
export PATH LC_ALL
for pause in 1 3 5 0; do
  said=$(timeout 30 "$1" -i "$2" -tls -s enable "$3" </dev/null 2>&1)
  case $said in
    *"Cmd executed successfully!"*) exit 0;;
    *"hccn_tool is busy"*|*"Get lock failed"*|*"device is occupied"*) sleep $pause;;
    *) break;;
  esac
done
printf '%s\n' "$said" >&2
exit 1
