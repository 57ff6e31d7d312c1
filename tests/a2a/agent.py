"""An agent on the official Python SDK of A2A: the other side of the tests.

    agent.py PORT

Its cards are /http/agent-card.json (HTTP+JSON), /rpc/agent-card.json (JSON-RPC) and /locked/agent-card.json (HTTP+JSON with
the bearer token `hush`). What it is to do stands in the prompt, as {"a2a": "write"}; see `Agent.execute`. How often it was
asked to begin is answered by /begun/<context>.
"""

import asyncio
import json
import sys

import httpx
import uvicorn
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import (BasePushNotificationSender, InMemoryPushNotificationConfigStore, InMemoryTaskStore,
                              TaskUpdater)
from a2a.types import (AgentCapabilities, AgentCard, AgentInterface, AgentSkill, HTTPAuthSecurityScheme, Part, SecurityScheme, Task,
                       TaskState, TaskStatus)
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

PATCH = """diff --git a/made.txt b/made.txt
new file mode 100644
--- /dev/null
+++ b/made.txt
@@ -0,0 +1 @@
+one
"""
BEGUN = []


def wish(text):
    """What a prompt asks for; a plain text is an answer."""
    try:
        return json.JSONDecoder().raw_decode(text[text.index("{"):])[0]["a2a"]
    except (ValueError, KeyError, TypeError):
        return None


class Agent(AgentExecutor):
    async def execute(self, context, event_queue):
        text = context.get_user_input()
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        say = lambda words: updater.new_agent_message([Part(text=words)])
        if context.current_task is not None:
            await updater.start_work()
            await updater.complete(say(f"Done: {text}"))
            return
        do = wish(text)
        BEGUN.append(context.context_id)
        if do == "answer":
            await event_queue.enqueue_event(say("Forty-two."))
            return
        status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
        await event_queue.enqueue_event(Task(id=context.task_id, context_id=context.context_id, status=status,
                                             history=[context.message]))
        await updater.start_work()
        if do == "write":
            await updater.add_artifact([Part(text=PATCH, media_type="text/x-diff")], name="changes.patch")
            await updater.add_artifact([Part(text="one\n", filename="report/made.txt", media_type="text/plain"),
                                        Part(text="out", filename="../../outside.txt")], name="made")
            await updater.complete(say("Done."))
        elif do == "nothing":
            await updater.complete()
        elif do == "blank":
            await updater.add_artifact([Part(text=" \n")], name="result")
            await updater.complete(say(" \n"))
        elif do == "ask":
            await updater.requires_input(say("Which one?"))
        elif do == "auth":
            await updater.requires_auth(say("Log in at the agent."))
        elif do == "fail":
            await updater.failed(say("It broke."))
        elif do == "reject":
            await updater.reject(say("Not mine."))
        elif do == "give-up":
            await updater.cancel(say("Called off here."))
        elif do == "later":
            await asyncio.sleep(1)
            await updater.complete(say("Done at last."))
        else:
            await asyncio.sleep(600)

    async def cancel(self, context, event_queue):
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


class Lock:
    """Lets calls below /locked through with their token, except for the card."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        path = scope.get("path", "")
        token = dict(scope.get("headers", [])).get(b"authorization")
        if path.startswith("/locked") and not path.endswith(".json") and token != b"Bearer hush":
            await JSONResponse({"error": "who?"}, 401)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def card(base, name, binding, **more):
    skill = AgentSkill(id="code", name="Code", description="Writes a file.", tags=["code"])
    return AgentCard(name=name, description="An agent of the tests.", version="1.0.0",
                     capabilities=AgentCapabilities(push_notifications=True, streaming=True),
                     supported_interfaces=[AgentInterface(url=f"{base}/{name}", protocol_binding=binding,
                                                          protocol_version="1.0")],
                     skills=[skill], default_input_modes=["text/plain"], default_output_modes=["text/plain"], **more)


def main():
    port = int(sys.argv[1])
    base = f"http://127.0.0.1:{port}"
    bearer = SecurityScheme(http_auth_security_scheme=HTTPAuthSecurityScheme(scheme="Bearer"))
    cards = [card(base, "http", "HTTP+JSON"), card(base, "rpc", "JSONRPC"),
             card(base, "locked", "HTTP+JSON", security_schemes={"bearer": bearer})]
    configs = InMemoryPushNotificationConfigStore()
    handler = DefaultRequestHandler(agent_executor=Agent(), task_store=InMemoryTaskStore(), agent_card=cards[0],
                                    push_config_store=configs,
                                    push_sender=BasePushNotificationSender(httpx.AsyncClient(), configs))
    routes = [Route("/begun/{context}", lambda request: JSONResponse(BEGUN.count(request.path_params["context"])))]
    for one in cards:
        routes += create_agent_card_routes(one, card_url=f"/{one.name}/agent-card.json")
    routes += create_jsonrpc_routes(handler, "/rpc")
    for name in ("http", "locked"):
        routes.append(Mount(f"/{name}", routes=create_rest_routes(handler)))
    app = Starlette(routes=routes, middleware=[Middleware(Lock)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main()
