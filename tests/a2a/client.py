"""The client of the official Python SDK of A2A, against our own agent: every operation by both bindings, each with what
it must answer.

    client.py CARD_URL API_KEY

The prompts are scripts for the scripted agent. Prints `all good` at the end; a claim that does not hold ends it before.
"""

import asyncio
import sys
import uuid

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import (CancelTaskRequest, DeleteTaskPushNotificationConfigRequest,
                       GetTaskPushNotificationConfigRequest, GetTaskRequest, ListTaskPushNotificationConfigsRequest,
                       ListTasksRequest, Message, Part, Role,
                       SendMessageConfiguration, SendMessageRequest, SubscribeToTaskRequest, TaskState)
from a2a.utils.errors import (ContentTypeNotSupportedError, PushNotificationNotSupportedError, TaskNotCancelableError, TaskNotFoundError,
                              UnsupportedOperationError)
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value
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
    assert [one.protocol_binding for one in card.supported_interfaces] == ["HTTP+JSON", "JSONRPC"], card
    # Without a choice of bindings, the SDK speaks JSON-RPC only.
    for name, choice in [("json-rpc", {}), ("rest", {"supported_protocol_bindings": ["HTTP+JSON"]})]:
        config = lambda streaming: ClientConfig(httpx_client=http, streaming=streaming, **choice)
        await use(name, ClientFactory(config(False)).create(card), ClientFactory(config(True)).create(card))
    print("all good")


async def use(name, client, streaming):
    """Every operation, by one binding."""
    context = f"{name}-context"

    # A message makes a session and waits for its end; what it made comes with it.
    writes = [{"do": "write", "path": "made.txt", "content": "one\n"}, {"do": "say", "text": "Done."}]
    first = said("Write a file\nand say so.", writes, context_id=context)
    [update] = await send(client, first)
    task = update.task
    assert task.status.state == DONE and task.context_id == context, task
    assert {one.name for one in task.artifacts} >= {"made.txt", "changes.patch"}, task
    assert [part.text for one in task.history for part in one.parts][-1] == "Done.", task
    # The same message again is the same task.
    [again] = await send(client, first)
    assert again.task.id == task.id, again

    # A task that asks is answered, and goes on.
    asks = [{"do": "ask", "question_id": "q1", "kind": "input", "text": "Which one?"}, {"do": "say", "text": "Done."}]
    [update] = await send(client, said("Ask me.", asks, context_id=context))
    asked = update.task
    assert asked.status.state == ASKS, asked
    text, data = asked.status.message.parts
    assert text.text == "Which one?", asked
    asked_for = MessageToDict(data.data)
    assert (asked_for["question_id"], asked_for["kind"]) == ("q1", "input"), asked
    [update] = await send(client, said("The second.", task_id=asked.id, context_id=context))
    for _ in range(100):
        asked = await client.get_task(GetTaskRequest(id=asked.id))
        if asked.status.state in OVER:
            break
        await asyncio.sleep(0.1)
    assert asked.status.state == DONE, asked
    assert "The second." in [part.text for one in asked.history for part in one.parts], asked

    # Lists: by context and by state, page by page.
    page = await client.list_tasks(ListTasksRequest(context_id=context, page_size=1))
    assert (page.total_size, len(page.tasks), page.tasks[0].id) == (2, 1, asked.id), page
    page = await client.list_tasks(ListTasksRequest(context_id=context, page_token=page.next_page_token))
    assert [one.id for one in page.tasks] == [task.id] and not page.next_page_token, page
    page = await client.list_tasks(ListTasksRequest(context_id=context, status=ASKS))
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
    named = {"task_id": ended.id, "id": "1"}
    for call in [
        client.get_task_push_notification_config(GetTaskPushNotificationConfigRequest(**named)),
        client.list_task_push_notification_configs(ListTaskPushNotificationConfigsRequest(task_id=ended.id)),
        client.delete_task_push_notification_config(DeleteTaskPushNotificationConfigRequest(**named)),
    ]:
        await refused(PushNotificationNotSupportedError, call)

    # A choice is answered by data; a text file comes with the message.
    pick = [{"do": "ask", "question_id": "q2", "kind": "input", "text": "Which colour?",
             "options": [{"label": "Red"}, {"label": "Blue"}]}, {"do": "say", "text": "Done."}]
    message = said("Paint it.", pick)
    message.parts.append(Part(raw=b"Paint twice.\n", filename="notes.txt", media_type="text/plain"))
    [update] = await send(client, message)
    picking = update.task
    assert "- Blue" in picking.status.message.parts[0].text, picking
    assert "Paint twice." in picking.history[0].parts[0].text, picking
    reply = said("", task_id=picking.id)
    del reply.parts[:]
    reply.parts.append(Part(data=ParseDict({"choices": ["Blue"]}, Value())))
    [update] = await send(client, reply)
    for _ in range(100):
        picking = await client.get_task(GetTaskRequest(id=picking.id))
        if picking.status.state in OVER:
            break
        await asyncio.sleep(0.1)
    assert picking.status.state == DONE, picking
    assert "Blue" in [part.text for one in picking.history for part in one.parts], picking
    picture = said("Look.")
    picture.parts.append(Part(raw=b"\x89PNG\xff", filename="a.png", media_type="image/png"))
    await refused(ContentTypeNotSupportedError, send(client, picture))

    # A further message in a context begins with the files of the last finished task.
    [update] = await send(client, said("And another file.", [{"do": "write", "path": "other.txt", "content": "two\n"}],
                                       context_id=context))
    assert {one.name for one in update.task.artifacts} >= {"made.txt", "other.txt"}, update

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


asyncio.run(main())
