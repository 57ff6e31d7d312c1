"""Runs the tests: run_tests.py COMMAND..., where the command is `cargo test` with its options.

What fails is run once more, alone, as docs/adr/0026-repeated-tests.md explains. A test that then passes is named as
unsteady, so that somebody mends it; one that fails again fails the run, and so do more failures than MAX_REPEATED.
"""

import re
import subprocess
import sys

MAX_REPEATED = 3
FAILED = re.compile(rb"^test (\S+) \.\.\. FAILED$")
STARTED = re.compile(rb"^\s+Running .+\(.+\)$")
ENDED = re.compile(rb"^test result: .* (\d+) failed;")


class Run:
    """What one run of the command printed."""

    def __init__(self, command):
        self.failed, self.started, self.ended, self.counted = [], 0, 0, 0
        # Both outputs in one, because cargo names the programs on the other.
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in process.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            self.read(line.rstrip())
        self.status = process.wait()

    def read(self, line):
        if named := FAILED.match(line):
            self.failed.append(named.group(1).decode())
        self.started += bool(STARTED.match(line))
        if result := ENDED.match(line):
            self.ended += 1
            self.counted += int(result.group(1))

    def may_be_repeated(self):
        """Whether a few known tests failed, and every program ran to its end: no test is unaccounted for."""
        whole = self.started == self.ended > 0 and self.counted == len(self.failed)
        return self.status != 0 and whole and 1 <= len(self.failed) <= MAX_REPEATED


def main(command):
    first = Run(command)
    if not first.may_be_repeated():
        return first.status
    print(f"tests: repeating alone what failed: {', '.join(first.failed)}", flush=True)
    # Everything after `--` is for the test programs. A filter that no program knows runs nothing there.
    own = command[: command.index("--")] if "--" in command else command
    second = Run([*own, "--", "--exact", "--test-threads", "1", *first.failed])
    for name in first.failed:
        passed = second.status == 0 or (second.failed and name not in second.failed)
        print(f"tests: {name} {'passed alone: it is unsteady' if passed else 'failed again'}", flush=True)
    return second.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
