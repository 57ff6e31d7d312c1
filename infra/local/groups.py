"""What `setup.py` installs by: groups of programs from one registry each, in a folder of their own under .local/."""

import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PIP = ["install", "--quiet", "--disable-pip-version-check", "--no-input"]
# Not `npm ci`: it insists on a lock entry for every platform's package, also where the registry at hand lacks one that is
# not needed.
NPM = ["--omit-lockfile-registry-resolved", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
PRINTING = threading.Lock()


class Missing(Exception):
    """Something cannot be had: what, and what the person can do about it."""

    def __init__(self, what, remedy, detail=""):
        super().__init__(what)
        self.remedy = remedy
        self.detail = detail.strip()


def say(line):
    with PRINTING:
        print(f"setup: {line}", flush=True)


def system():
    """The platform as the npm packages name it."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower())
    return platform.system().lower(), machine or platform.machine().lower()


class Group:
    """Programs that are installed together into one folder under .local/."""

    title = folder = size = remedy = ""
    disk_mb = 0
    files = ()

    def __init__(self, local):
        self.place = local / self.folder

    def wanted(self):
        return True

    def programs(self):
        """One entry per program that must be there afterwards: its path, or None."""
        raise NotImplementedError

    def probes(self):
        """Commands that fail where a program does not run on this machine."""
        return [[program, "--version"] for program in self.programs()]

    def install(self):
        raise NotImplementedError

    def digest(self):
        content = hashlib.sha256("-".join(system()).encode())
        for file in self.files:
            content.update((HERE / file).read_bytes())
        return content.hexdigest()

    def ready(self):
        stamp = self.place / ".stamp"
        return stamp.is_file() and stamp.read_text() == self.digest() and all(self.programs())

    def ensure(self):
        started = time.monotonic()
        say(f"{self.title}: installing into .local/{self.folder} (about {self.size}) ...")
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        self.install()
        if not all(self.programs()):
            raise Missing(f"{self.title}: the packages were installed, but a program is missing from them", self.remedy)
        for command in self.probes():
            self.run(command)
        (self.place / ".stamp").write_text(self.digest())
        say(f"{self.title}: done in {time.monotonic() - started:.1f} s")

    def run(self, command, **options):
        """Runs a quiet client; what it says is shown only when it fails."""
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, errors="replace", check=False, **options)
        if done.returncode != 0:
            raise Missing(f"{self.title}: `{pathlib.Path(command[0]).name} {command[1]} ...` failed", self.remedy,
                          done.stdout)

    def first(self, pattern):
        return next(iter(sorted(self.place.glob(pattern))), None)


class PythonGroup(Group):
    """Packages from PyPI in a venv of their own."""

    def pip(self):
        """Makes the venv and returns the pip that installs into it, also where Python comes without ensurepip."""
        python = self.place / "bin" / "python"
        made = subprocess.run([sys.executable, "-m", "venv", str(self.place)], capture_output=True, check=False)
        if made.returncode == 0:
            return [python, "-m", "pip"]
        if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            self.run([sys.executable, "-m", "venv", "--clear", "--without-pip", self.place])
            return [sys.executable, "-m", "pip", "--python", python]
        if os.geteuid() == 0 and shutil.which("apt-get"):
            say(f"{self.title}: Python has no venv here; installing Debian's python3-venv ...")
            self.run(["apt-get", "update"])
            self.run(["apt-get", "install", "--yes", "--no-install-recommends", "python3-venv", "python3-pip"])
            python3 = "/usr/bin/python3"
            self.run([python3, "-m", "venv", "--clear", self.place])
            return [python, "-m", "pip"]
        raise Missing(f"{self.title}: this Python can make no venv and has no pip",
                      "install them (Debian: apt-get install python3-venv), or " + self.remedy)


class NpmGroup(Group):
    """Packages from npm, by a manifest and a lock file that are copied beside them. No script of a package runs."""

    def install(self):
        for file in self.files:
            shutil.copy(HERE / file, self.place)
        self.run(["npm", "install", "--no-save", "--ignore-scripts", *NPM], cwd=self.place)
