"""The client of the official Python SDK of A2A, against our own agent: every operation, each with what it must answer.

    client.py CARD_URL API_KEY

The prompts are scripts for the scripted agent. Prints `all good` at the end; a claim that does not hold ends it before.
"""

import asyncio
import sys
import uuid

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import (CancelTaskRequest, GetTaskRequest, ListTasksRequest, Message, Part, Role,
                       SendMessageConfiguration, SendMessageRequest, SubscribeToTaskRequest, TaskState)
from a2a.utils.errors import (PushNotificationNotSupportedError, TaskNotCancelableError, TaskNotFoundError,
                              UnsupportedOperationError)
from google.protobuf.json_format import ParseDict
from a2a.types import TaskPushNotificationConfig

DONE, ASKS = TaskState.TASK_STATE_COMPLETED, TaskState.TASK_STATE_INPUT_REQUIRED
OVER = {DONE, TaskState.TASK_STATE_FAILED, TaskState.TASK_STATE_CANCELED}


def said(text, script=None, **more):
    message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[Part(text=text)], **more)
    if script is not None:
        ParseDict({"ioc": {"agent_config": {"agent": "scripted", "script": script}}}, message.metadata)
    return message


async def send(client, message, at_once=False):
    request = SendMessageRequest(message=message,
                                 configuration=SendMessageConfiguration(return_immediately=at_once))
    return [update async for update in client.send_message(request)]


async def refused(kind, call):
    try:
        await call
    except kind:
        return
    raise AssertionError(f"not refused with {kind.__name__}")


async def every(stream):
    return [update async for update in stream]


async def main():
    card_url, key = sys.argv[1:]
    base, path = card_url.rsplit("/.well-known/", 1)
    http = httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60)
    card = await A2ACardResolver(http, base, agent_card_path=f"/.well-known/{path}").get_agent_card()
    assert card.supported_interfaces[0].protocol_binding == "HTTP+JSON", card
    config = lambda streaming: ClientConfig(httpx_client=http, streaming=streaming,
                                            supported_protocol_bindings=["HTTP+JSON"])
    client = ClientFactory(config(False)).create(card)
    streaming = ClientFactory(config(True)).create(card)

    # A message makes a session and waits for its end; what it made comes with it.
    writes = [{"do": "write", "path": "made.txt", "content": "one\n"}, {"do": "say", "text": "Done."}]
    first = said("Write a file\nand say so.", writes, context_id="one-context")
    [update] = await send(client, first)
    task = update.task
    assert task.status.state == DONE and task.context_id == "one-context", task
    assert {one.name for one in task.artifacts} >= {"made.txt", "changes.patch"}, task
    assert [part.text for one in task.history for part in one.parts][-1] == "Done.", task
    # The same message again is the same task.
    [again] = await send(client, first)
    assert again.task.id == task.id, again

    # A task that asks is answered, and goes on.
    asks = [{"do": "ask", "question_id": "q1", "kind": "input", "text": "Which one?"}, {"do": "say", "text": "Done."}]
    [update] = await send(client, said("Ask me.", asks, context_id="one-context"))
    asked = update.task
    assert asked.status.state == ASKS, asked
    assert asked.status.message.parts[0].text == "Which one?", asked
    [update] = await send(client, said("The second.", task_id=asked.id, context_id="one-context"))
    for _ in range(100):
        asked = await client.get_task(GetTaskRequest(id=asked.id))
        if asked.status.state in OVER:
            break
        await asyncio.sleep(0.1)
    assert asked.status.state == DONE, asked
    assert "The second." in [part.text for one in asked.history for part in one.parts], asked

    # Lists: by context and by state, page by page.
    page = await client.list_tasks(ListTasksRequest(context_id="one-context", page_size=1))
    assert (page.total_size, len(page.tasks), page.tasks[0].id) == (2, 1, asked.id), page
    page = await client.list_tasks(ListTasksRequest(context_id="one-context", page_token=page.next_page_token))
    assert [one.id for one in page.tasks] == [task.id] and not page.next_page_token, page
    page = await client.list_tasks(ListTasksRequest(context_id="one-context", status=ASKS))
    assert not page.tasks, page

    # What works is called off; what is over is not.
    [update] = await send(client, said("Take your time.", [{"do": "wait", "ms": 60000}]), at_once=True)
    assert update.task.status.state not in OVER, update
    ended = await client.cancel_task(CancelTaskRequest(id=update.task.id))
    assert ended.status.state == TaskState.TASK_STATE_CANCELED, ended
    await refused(TaskNotCancelableError, client.cancel_task(CancelTaskRequest(id=ended.id)))
    await refused(UnsupportedOperationError, send(client, said("More.", task_id=ended.id)))
    await refused(TaskNotFoundError, client.get_task(GetTaskRequest(id=str(uuid.uuid4()))))
    push = TaskPushNotificationConfig(task_id=ended.id, url="https://example.com/")
    await refused(PushNotificationNotSupportedError, client.create_task_push_notification_config(push))

    # A stream begins with the task and ends with its end.
    slow = [{"do": "wait", "ms": 300}, {"do": "say", "text": "Half."}, {"do": "wait", "ms": 300}, *writes]
    updates = await send(streaming, said("Stream it.", slow))
    kinds = [update.WhichOneof("payload") for update in updates]
    assert kinds[0] == "task" and "artifact_update" in kinds, kinds
    assert updates[-1].status_update.status.state == DONE, updates
    words = [part.text for one in updates for part in one.status_update.status.message.parts]
    assert words.index("Half.") < words.index("Done."), words
    streamed = updates[0].task.id
    await refused(UnsupportedOperationError, every(streaming.subscribe(SubscribeToTaskRequest(id=streamed))))
    [update] = await send(client, said("Subscribe to it.", slow), at_once=True)
    updates = await every(streaming.subscribe(SubscribeToTaskRequest(id=update.task.id)))
    assert updates[0].task.id == update.task.id and updates[-1].status_update.status.state == DONE, updates
    print("all good")


asyncio.run(main())
