"""An agent that speaks ACP, well or badly: `agent.py BEHAVIOUR`. The tests of acp.rs say what each behaviour is."""

import json
import os
import subprocess
import sys
import time

BEHAVIOUR = sys.argv[1]
OPTIONS = [{"optionId": "yes", "kind": "allow_once", "name": "Yes"}, {"optionId": "no", "kind": "reject_once", "name": "No"}]
MODEL = {"id": "model", "category": "model", "type": "select", "currentValue": "small", "name": "Model",
         "options": [{"value": "small", "name": "Small"}, {"value": "large", "name": "Large"}]}


def write(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def update(**content):
    write({"method": "session/update", "params": {"sessionId": "s", "update": content}})


def say(text):
    update(sessionUpdate="agent_message_chunk", messageId="m", content={"type": "text", "text": text})


def read():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def ask(method, **params):
    """Asks the client, and returns the answer and the notifications that came before it."""
    write({"id": "asked-1", "method": method, "params": params})
    before = []
    while True:
        message = read()
        if message.get("id") == "asked-1":
            return message, before
        before.append(message["method"])


def prompt(text):
    """One turn by behaviour; returns the result of `session/prompt`."""
    done = {"stopReason": "end_turn", "usage": {"inputTokens": 5, "outputTokens": 2}}
    if BEHAVIOUR == "garbage":
        sys.stdout.buffer.write(b"Loading model...\n\xff\xfe\x00\n[1, 2]\n{\"id\": {}}\nnull\n\n{\"jsonrpc\": \"2.0\"}\n")
        say("fine")
    elif BEHAVIOUR == "strange":
        update(sessionUpdate="telepathy", strength=3)
        update(sessionUpdate=["x"])
        update(sessionUpdate="tool_call", toolCallId="c", kind="dance", locations=7, content="x")
        update(sessionUpdate="usage_update", used="many")
        write({"method": "session/update", "params": "none"})
        write({"method": "_agent/note", "params": {"a": 1}})
        write({"id": 999, "result": {}})
        say("fine")
    elif BEHAVIOUR == "flood":
        for number in range(250_000):
            sys.stdout.write('{"method":"session/update","params":{"update":{"sessionUpdate":"agent_message_chunk",'
                             f'"content":{{"type":"text","text":"{number}"}}}}}}}}\n')
        sys.stdout.flush()
    elif BEHAVIOUR == "large-updates":
        text = "x" * 4_000_000
        for _ in range(40):
            say(text)
    elif BEHAVIOUR == "dies":
        print("reading the configuration", file=sys.stderr)
        print("fatal: the disk is full", file=sys.stderr)
        say("half of an ans")
        os._exit(3)
    elif BEHAVIOUR == "dies-with-child":
        subprocess.Popen(["sleep", "30"])
        os._exit(3)
    elif BEHAVIOUR == "ignores-cancel":
        say("working")
        while True:
            read()
    elif BEHAVIOUR == "long-line":
        piece = "x" * 1_000_000
        sys.stdout.write('{"beginning": "')
        for _ in range(100):
            sys.stdout.write(piece)
        sys.stdout.write('"}\n')
        sys.stdout.flush()
    elif BEHAVIOUR == "asks":
        call = {"toolCallId": "c", "kind": "execute", "title": "rm x", "rawInput": {"command": "rm x"}}
        answer, before = ask("session/request_permission", sessionId="s", toolCall=call, options=OPTIONS)
        say(json.dumps(answer["result"]["outcome"], sort_keys=True))
        if answer["result"]["outcome"]["outcome"] == "cancelled":
            before = before or [read()["method"]]
            say(before[0])
            return {"stopReason": "cancelled"}
    elif BEHAVIOUR == "asks-twice":
        for number in ("1", "2"):
            call = {"toolCallId": number, "kind": "execute", "title": f"rm {number}"}
            write({"id": f"asked-{number}", "method": "session/request_permission",
                   "params": {"sessionId": "s", "toolCall": call, "options": OPTIONS}})
        for _ in range(2):
            answer = read()
            say(answer["id"] + " " + answer["result"]["outcome"]["optionId"])
    elif BEHAVIOUR == "dies-once":
        marker = os.path.expanduser("~/died")
        if not os.path.exists(marker):
            open(marker, "w").close()
            say("half of an ans")
            os._exit(3)
        say("resumed with: " + text)
    elif BEHAVIOUR == "asks-for-files":
        answer, _ = ask("fs/write_text_file", sessionId="s", path="/x", content="x")
        say(str(answer["error"]["code"]))
    elif BEHAVIOUR == "is-cut":
        say("half of an ans")
        return {**done, "stopReason": "max_tokens"}
    elif BEHAVIOUR == "refuses":
        raise RuntimeError("the model is on holiday")
    return done


def answer(method, params):
    if method == "initialize":
        if BEHAVIOUR == "hangs":
            print("Usage: agent [OPTIONS]", flush=True)
            time.sleep(60)
        return {"protocolVersion": 2 if BEHAVIOUR == "version-2" else 1, "agentInfo": {"name": "test", "version": "1"},
                "agentCapabilities": {"loadSession": BEHAVIOUR != "dies-once",
                                      "sessionCapabilities": {"resume": {}} if BEHAVIOUR == "dies-once" else {}}}
    if method == "session/new":
        if BEHAVIOUR == "hangs-later":
            time.sleep(60)
        if BEHAVIOUR == "wants-sign-in":
            raise PermissionError("sign in first")
        return {"sessionId": "s", "configOptions": [MODEL]}
    if method == "session/resume":
        return {}
    if method == "session/load":
        say("what was said before")
        return {"configOptions": [MODEL]}
    if method == "session/set_config_option":
        MODEL["currentValue"] = params["value"]
        return {"configOptions": [MODEL]}
    return prompt(params["prompt"][0]["text"])


while True:
    request = read()
    if "id" not in request:
        continue
    try:
        write({"id": request["id"], "result": answer(request["method"], request["params"])})
        if BEHAVIOUR == "stops-reading" and request["method"] == "session/new":
            time.sleep(60)
    except PermissionError as error:
        write({"id": request["id"], "error": {"code": -32000, "message": str(error)}})
    except RuntimeError as error:
        write({"id": request["id"], "error": {"code": -32603, "message": "Internal error", "data": {"details": str(error)}}})
