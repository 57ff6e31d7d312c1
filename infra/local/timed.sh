#!/bin/sh
# Runs a step of make and says how long it took: timed.sh NAME COMMAND...
name=$1
shift
began=$(date +%s)
"$@"
status=$?
echo "make: $name: $(($(date +%s) - began)) s$([ $status = 0 ] || echo ', failed')"
exit $status
