#!/usr/bin/env python3
"""An external agent that pulls its work, written with Python's standard library only.

It speaks the External Agent Protocol 1.0 (docs/external-agent-protocol.md) and understands three kinds of lines in a
prompt: `Add the file <path>: <text>`, `Wait <n> seconds` and `Ask the question "<text>" and write the answer into the
file <path>`. It works in a clone of the task's repository or directory, commits, and returns the result as a patch.

With AGENT_STATE, the path of a file, it keeps its token there and is the same agent after a restart.

    IOC_URL=http://127.0.0.1:8000 IOC_KEY=ioc_... IOC_TENANT=demo python3 examples/pull_agent.py
"""
import json, os, re, subprocess, tempfile, threading, time, urllib.error, urllib.request

URL, KEY, TENANT = os.environ["IOC_URL"], os.environ["IOC_KEY"], os.environ["IOC_TENANT"]
NAME = os.environ.get("AGENT_NAME", "PYTHON-EXAMPLE")
STATE = os.environ.get("AGENT_STATE")
busy = threading.Event()


def post(path, body, headers):
    """Sends one request, and repeats it while the server is unreachable or fails; every call is idempotent."""
    delay = 0.2
    while True:
        data = json.dumps(body).encode()
        request = urllib.request.Request(URL + "/api/v1" + path, data, {"content-type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=40) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                return error.code, json.loads(error.read() or b"null")
        except OSError:
            pass
        time.sleep(delay)
        delay = min(delay * 2, 10)


def git(folder, *arguments):
    identity = ["-c", "user.name=example", "-c", "user.email=example@localhost"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode()


class Cancelled(Exception):
    """The task was cancelled, or its lease was lost."""


class TaskRun:
    """Works on one task and returns its result."""

    def __init__(self, path, headers, task):
        self.path, self.headers, self.task = f"{path}/tasks/{task['task_id']}", headers, task
        self.seq, self.received, self.answers = 0, 0, {}

    def report(self, message=None, question=None):
        """Renews the lease, and receives messages. Raises Cancelled if the task was cancelled or is no longer ours."""
        self.seq += 1
        body = {"lease_token": self.task["lease"]["token"], "seq": self.seq, "received": self.received}
        if message:
            body["message"] = message
        if question:
            body["question"] = question
        status, response = post(self.path + "/progress", body, self.headers)
        if status != 200 or response["cancel"]:
            raise Cancelled
        for received in response.get("messages", []):
            self.received = max(self.received, received["number"])
            if received["kind"] == "answer":
                self.answers[received["answer"]["question_id"]] = received["answer"].get("text", "")

    def ask(self, text):
        """Asks a question, and keeps the lease until a person answers it."""
        name = f"question-{self.seq}"
        self.report(question={"question_id": name, "kind": "input", "text": text})
        while name not in self.answers:
            time.sleep(0.2)
            self.report()
        return self.answers[name]

    def write(self, folder, name, text):
        if os.path.isabs(name) or ".." in name.split("/"):
            raise ValueError(f"{name} is outside of the repository")
        os.makedirs(os.path.dirname(os.path.join(folder, name)) or folder, exist_ok=True)
        with open(os.path.join(folder, name), "w") as file:
            file.write(text + "\n")
        self.report(f"Wrote {name}.")

    def check_out(self, folder):
        """Clones the workspace, applies the patch of an earlier run, and returns the base commit."""
        workspace = self.task["context"].get("workspace") or {}
        source = workspace.get("repository") or workspace.get("directory")
        git(folder, *(["clone", "-q", source, "."] if source else ["init", "-q"]))
        if workspace.get("ref"):
            git(folder, "checkout", "-q", workspace["ref"])
        if not source:
            git(folder, "commit", "-q", "--allow-empty", "-m", "Begin")
        base = git(folder, "rev-parse", "HEAD").strip()
        earlier_patch = (self.task["context"].get("continuation") or {}).get("patch")
        if earlier_patch:
            subprocess.run(["git", "apply", "-"], cwd=folder, input=earlier_patch.encode(), check=True)
        return base

    def make_changes(self, folder):
        """Follows the prompt and returns the patch."""
        base = self.check_out(folder)
        prompt = self.task["context"]["prompt"]
        for seconds in re.findall(r"Wait (\d+) seconds", prompt):
            end = time.time() + int(seconds)
            while time.time() < end:
                self.report()
                time.sleep(0.2)
        for text, name in re.findall(r'Ask the question "(.+?)" and write the answer into the file (\S+)', prompt):
            self.write(folder, name, self.ask(text))
        for name, text in re.findall(r"Add the file (\S+): (.+)", prompt):
            self.write(folder, name, text)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", self.task["context"]["title"])
        return git(folder, "diff", "--binary", base, "HEAD")

    def run(self):
        began, result = time.time(), {"status": "completed", "artifacts": []}
        try:
            self.report("Reading the task.")
            with tempfile.TemporaryDirectory() as folder:
                patch = self.make_changes(folder)
            result["artifacts"] = [{"path": "changes.patch", "content": patch, "mime_type": "text/x-diff"}]
            result["output_data"] = {"text": "Done."}
        except Cancelled:
            result.update(status="failed", error_message="The task was cancelled.")
        except Exception as error:
            result.update(status="failed", error_message=str(error))
        ids = {"task_id": self.task["task_id"], "lease_token": self.task["lease"]["token"]}
        usage = {"execution_time_ms": int((time.time() - began) * 1000), "tokens_used": 0, "cost_usd": 0}
        post(self.path + "/result", {**ids, **result, **usage}, self.headers)


def send_heartbeats(path, headers, interval):
    while True:
        load = {"current_load": 1 if busy.is_set() else 0, "tasks_in_progress": int(busy.is_set())}
        post(path + "/heartbeat", {"status": "busy" if busy.is_set() else "healthy", **load}, headers)
        time.sleep(interval)


def register():
    """Registers, or returns the registration that is stored in AGENT_STATE."""
    if STATE and os.path.exists(STATE):
        with open(STATE) as file:
            return json.load(file)
    registration = {"protocol_version": "1.0", "name": NAME, "version": "1.0.0", "agent_type": "implementer",
                    "capabilities": ["code_generation", "documentation"], "capacity": 1}
    headers = {"authorization": f"Bearer {KEY}", "x-tenant-id": TENANT}
    status, agent = post("/agents/external/register", registration, headers)
    if status != 201:
        raise SystemExit(f"registration failed: {agent}")
    if STATE:
        with open(os.open(STATE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(agent, file)
    return agent


def main():
    agent = register()
    path, headers = f"/agents/external/{agent['agent_id']}", {"x-agent-token": agent["auth_token"]}
    interval = agent["heartbeat_interval_seconds"]
    threading.Thread(target=send_heartbeats, args=(path, headers, interval), daemon=True).start()
    print(f"registered as {agent['agent_id']}", flush=True)
    while True:
        status, claim = post(path + "/tasks/claim", {"wait_seconds": 20}, headers)
        if status not in (200, 204):
            raise SystemExit(f"claim refused: {claim}")
        for task in claim["tasks"] if status == 200 else []:
            busy.set()
            TaskRun(path, headers, task).run()
            busy.clear()


if __name__ == "__main__":
    main()
