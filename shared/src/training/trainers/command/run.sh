# Runs a trainer: $1 is the folder of the run, $2 what is asked of it, the rest the program and its arguments.
# Standard input is the lock that says that we live; every process below holds it too.
trap '' HUP
cd "$1/output" || exit 1
echo $$ > "$1/$2.pid.new" && mv "$1/$2.pid.new" "$1/$2.pid" || exit 1
folder=$1 verb=$2
shift 2
"$@" > "$folder/$verb.log" 2>&1
echo $? > "$folder/$verb.exit.new" && mv "$folder/$verb.exit.new" "$folder/$verb.exit"
# What was learnt from need not lie here for longer; what it is measured on is needed once more.
case $verb in train) rm -f "$folder/training.jsonl" "$folder"/*.part ;; *) rm -f "$folder/held-out.jsonl" ;; esac
