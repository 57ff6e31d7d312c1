#!/usr/bin/env python3
"""An external agent that pulls its work, with nothing but Python's standard library.

It speaks the External Agent Protocol 1.0 (docs/external-agent-protocol.md) and understands two kinds of lines in a prompt:
`Add the file <path>: <text>` and `Wait <n> seconds`. It works in a clone of the task's repository or directory, commits, and
returns what it did as a patch.

    IOC_URL=http://127.0.0.1:8000 IOC_KEY=ioc_... IOC_TENANT=demo python3 examples/pull_agent.py
"""
import json, os, re, subprocess, tempfile, threading, time, urllib.error, urllib.request

URL, KEY, TENANT = os.environ["IOC_URL"], os.environ["IOC_KEY"], os.environ["IOC_TENANT"]
NAME = os.environ.get("AGENT_NAME", "PYTHON-EXAMPLE")
busy = threading.Event()


def call(path, body, headers):
    """One call, made again with the same body while the server is not there or fails; everything here may be repeated."""
    pause = 0.2
    while True:
        data = json.dumps(body).encode()
        request = urllib.request.Request(URL + "/api/v1" + path, data, {"content-type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                return error.code, json.loads(error.read() or b"null")
        except OSError:
            pass
        time.sleep(pause)
        pause = min(pause * 2, 10)


def git(folder, *arguments):
    identity = ["-c", "user.name=example", "-c", "user.email=example@localhost"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode()


class Cancelled(Exception):
    pass


class Work:
    def __init__(self, path, headers, task):
        self.path, self.headers, self.task, self.seq = f"{path}/tasks/{task['task_id']}", headers, task, 0

    def report(self, message=None):
        """Renews the lease, and hears whether the task was called off or is not ours any more."""
        self.seq += 1
        body = {"lease_token": self.task["lease"]["token"], "seq": self.seq}
        status, answer = call(self.path + "/progress", {**body, **({"message": message} if message else {})}, self.headers)
        if status != 200 or answer["cancel"]:
            raise Cancelled

    def do(self, folder):
        place = self.task["context"].get("workspace") or {}
        source = place.get("repository") or place.get("directory")
        git(folder, *(["clone", "-q", source, "."] if source else ["init", "-q"]))
        if place.get("ref"):
            git(folder, "checkout", "-q", place["ref"])
        if not source:
            git(folder, "commit", "-q", "--allow-empty", "-m", "Begin")
        base = git(folder, "rev-parse", "HEAD").strip()
        before = (self.task["context"].get("continuation") or {}).get("patch")
        if before:
            subprocess.run(["git", "apply", "-"], cwd=folder, input=before.encode(), check=True)
        prompt = self.task["context"]["prompt"]
        for seconds in re.findall(r"Wait (\d+) seconds", prompt):
            end = time.time() + int(seconds)
            while time.time() < end:
                self.report()
                time.sleep(0.2)
        for name, text in re.findall(r"Add the file (\S+): (.+)", prompt):
            if os.path.isabs(name) or ".." in name.split("/"):
                raise ValueError(f"{name} is outside of the repository")
            os.makedirs(os.path.dirname(os.path.join(folder, name)) or folder, exist_ok=True)
            with open(os.path.join(folder, name), "w") as file:
                file.write(text + "\n")
            self.report(f"Wrote {name}.")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", self.task["context"]["title"])
        return git(folder, "diff", "--binary", base, "HEAD")

    def run(self):
        began, result = time.time(), {"status": "completed", "artifacts": []}
        try:
            self.report("Looking at the task.")
            with tempfile.TemporaryDirectory() as folder:
                patch = self.do(folder)
            result["artifacts"] = [{"path": "changes.patch", "content": patch, "mime_type": "text/x-diff"}]
            result["output_data"] = {"text": "Done."}
        except Cancelled:
            result.update(status="failed", error_message="The task was called off.")
        except Exception as error:
            result.update(status="failed", error_message=str(error))
        figures = {"execution_time_ms": int((time.time() - began) * 1000), "tokens_used": 0, "cost_usd": 0}
        named = {"task_id": self.task["task_id"], "lease_token": self.task["lease"]["token"]}
        call(self.path + "/result", {**named, **result, **figures}, self.headers)


def beat(path, headers, interval):
    while True:
        load = {"current_load": 1 if busy.is_set() else 0, "tasks_in_progress": int(busy.is_set())}
        call(path + "/heartbeat", {"status": "busy" if busy.is_set() else "healthy", **load}, headers)
        time.sleep(interval)


def main():
    registration = {"protocol_version": "1.0", "name": NAME, "version": "1.0.0", "agent_type": "implementer",
                    "capabilities": ["code_generation", "documentation"], "capacity": 1}
    headers = {"authorization": f"Bearer {KEY}", "x-tenant-id": TENANT}
    status, made = call("/agents/external/register", registration, headers)
    if status != 201:
        raise SystemExit(f"not registered: {made}")
    path, headers = f"/agents/external/{made['agent_id']}", {"x-agent-token": made["auth_token"]}
    threading.Thread(target=beat, args=(path, headers, made["heartbeat_interval_seconds"]), daemon=True).start()
    print(f"registered as {made['agent_id']}", flush=True)
    while True:
        status, claimed = call(path + "/tasks/claim", {"wait_seconds": 20}, headers)
        if status not in (200, 204):
            raise SystemExit(f"not let in: {claimed}")
        for task in claimed["tasks"] if status == 200 else []:
            busy.set()
            Work(path, headers, task).run()
            busy.clear()


if __name__ == "__main__":
    main()
