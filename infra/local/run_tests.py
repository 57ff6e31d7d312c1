"""Runs the tests: run_tests.py COMMAND..., where the command is `cargo test` with its options.

What fails is run once more, alone, as docs/adr/0026-repeated-tests.md explains. A test that then passes is named as
unsteady, so that somebody mends it; one that fails again fails the run, and so do more failures than MAX_REPEATED.
"""

import re
import subprocess
import sys

MAX_REPEATED = 3
FAILED = re.compile(rb"^test (\S+) \.\.\. FAILED$")


def run(command):
    """Runs a command and shows what it prints. Returns its exit code and the tests that failed."""
    failed = []
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        named = FAILED.match(line.rstrip())
        if named:
            failed.append(named.group(1).decode())
    return process.wait(), failed


def main(command):
    status, failed = run(command)
    if status == 0 or not 1 <= len(failed) <= MAX_REPEATED:
        return status
    print(f"tests: repeating alone what failed: {', '.join(failed)}", flush=True)
    # Everything after `--` is for the test programs. A filter that no program knows runs nothing there.
    own = command[: command.index("--")] if "--" in command else command
    status, again = run([*own, "--", "--exact", "--test-threads", "1", *failed])
    for name in failed:
        verdict = "failed again" if status != 0 and (name in again or not again) else "passed alone: it is unsteady"
        print(f"tests: {name} {verdict}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
