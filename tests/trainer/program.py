"""A trainer whose every word is the test's: it reports the lines that it finds in the file `say` beside its output."""

import argparse
import json
import pathlib
import subprocess
import sys
import time

arguments = argparse.ArgumentParser()
arguments.add_argument("verb", choices=["train", "evaluate"])
for name in ("dataset", "held-out", "parameters", "output", "report"):
    arguments.add_argument(f"--{name}", type=pathlib.Path)
given = arguments.parse_args()

parameters = json.loads(given.parameters.read_text())
samples = [json.loads(line) for line in given.dataset.read_text().splitlines()]
extra = parameters["parameters"]["extra"]

if given.verb == "evaluate":
    if extra.get("cannot_evaluate"):
        sys.exit(2)
    if extra.get("evaluates_for_ever"):
        time.sleep(600)
    with given.report.open("a") as report:
        report.write(json.dumps({"status": "succeeded", "eval_loss": 1.25, "accuracy": 0.75, "samples": len(samples)}))
    sys.exit(0)

with (given.output / "starts").open("a") as starts:
    starts.write(f"{len(samples)}\n")
if extra.get("child"):
    # Something that it starts, and that must not outlive it.
    child = subprocess.Popen(["sleep", "600"])
    (given.output / "child").write_text(str(child.pid))
if extra.get("environment"):
    import os
    (given.output / "environment").write_text("\n".join(os.environ))

said = 0
while True:
    say = given.output / "say"
    lines = say.read_text().splitlines(keepends=True) if say.exists() else []
    for line in [line for line in lines if line.endswith("\n")][said:]:
        said += 1
        if line.startswith("exit "):
            print("I go now.")
            sys.exit(int(line.split()[1]))
        with given.report.open("a") as report:
            report.write(line)
    time.sleep(0.02)
