"""How a runtime says things: news may be lost, what is recorded is sent until a stream has it, results until heard.

    say       news, and acknowledgments: now or never
    keep      state events: now, and again until the stream has acknowledged it
    deliver   results: now, and again for a minute while nobody hears it
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from nats_client import Client, Disconnected, Message, NatsError
from wire import AGENT_RUNTIME, MESSAGE_BYTES_MAX, TOOL_EXECUTOR, Cause, Data, Refused, Subjects, body_of
from wire import is_definition_id, is_exec_id, is_subject, new_id, part, timestamp, written

log = logging.getLogger("troupe")

# How long something may be of use to whoever is away, in seconds.
USEFUL = 60.0
AGAIN = 0.5
# How long a stream may take to acknowledge.
ACKNOWLEDGED_WITHIN = 5.0
# What headers take beside their text, and what is left to spare.
HEADERS_BYTES = 256
# Of a message that was refused so much is kept.
REJECTED_BYTES_MAX = 262_144


class Sender:
    """Writes messages and sends them; what it has begun to send it goes on with by itself."""

    def __init__(self, client: Client, subjects: Subjects) -> None:
        self.client = client
        self.subjects = subjects
        self._work: set[asyncio.Task[Any]] = set()

    def bytes_max(self, cause: Cause) -> int:
        """The most bytes that the body of a message may have."""
        headers = HEADERS_BYTES + sum(len(value) for _, value in cause.trace)
        return min(MESSAGE_BYTES_MAX, self.client.max_payload - headers)

    def say(self, subject: str, name: str, source: str, cause: Cause, sections: Data, payload: Data) -> None:
        headers, body = written(name, source, cause, sections, payload)
        try:
            self.client.publish(subject, body, headers)
        except NatsError as error:
            log.debug("%s was not said: %s", name, error)

    def keep(
        self, subject: str, name: str, source: str, cause: Cause, sections: Data, payload: Data, seconds: float = USEFUL
    ) -> asyncio.Task[bool]:
        """Whether the stream has it in the end; whoever does not want to know need not wait."""
        headers, body = written(name, source, cause, sections, payload)
        return self.begin(self._kept(subject, name, headers, body, self._ask(subject, headers, body), seconds))

    def deliver(self, subject: str, headers: dict[str, str], body: bytes) -> asyncio.Task[bool]:
        """Whether anybody has heard it in the end."""
        return self.begin(self._delivered(subject, headers, body))

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Does something that nobody waits for; a defect of it is told."""
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._over)
        return task

    async def settle(self, seconds: float) -> bool:
        """Waits until nothing is under way any more, but no longer than this: whether nothing is."""
        until = time.monotonic() + seconds
        while self._work and time.monotonic() < until:
            await asyncio.wait(self._work, timeout=until - time.monotonic())
        return not self._work

    def refuse(self, message: Message, name: str | None, body: Data, refused: Refused, source: str) -> None:
        """What was refused is never acknowledged: it is answered, logged, and kept as a dead letter."""
        log.error("a message on %s was refused: %s", message.subject, refused)
        metadata = part(body, "metadata")
        correlation, caused_by = metadata.get("correlation_id"), metadata.get("message_id")
        cause = Cause(
            str(correlation) if is_exec_id(correlation) else new_id(), str(caused_by) if is_exec_id(caused_by) else None
        )
        error = refused.as_error()
        # A relay names in its payload where the result goes, not the acknowledgment.
        named = "" if name == "AgentRuntimeExecute" else part(body, "payload").get("reply_to_subject", "")
        to = message.reply or named
        if is_subject(to) and name != "ToolCancel":
            self._answer_refused(to, name, body, error, cause)
        said = {"log_level": "error", "message": str(refused), "timestamp": timestamp()}
        context = {
            "code": refused.code,
            "original_subject": message.subject,
            "original_headers": message.headers,
            "original_body": message.data[:REJECTED_BYTES_MAX].decode(errors="replace"),
        }
        root = Cause(cause.correlation)
        rejected = self.subjects.rejected(refused.code)
        self.keep(rejected, "MessageRejected", source, root, {}, {**said, "context": context})
        component = "agent_runtime" if source == AGENT_RUNTIME else "tool_executor"
        line = self.subjects.log(component, "error", cause.correlation)
        self.keep(line, "LogEmitted", source, root, {}, {**said, "context": {"code": refused.code}})

    def _answer_refused(self, to: str, name: str | None, body: Data, error: Data, cause: Cause) -> None:
        tool, attempt = part(body, "tool"), part(part(body, "payload"), "context").get("attempt")
        payload = {"status": "ERROR", "result": {"error": error}}
        if name == "ToolExecute" and is_definition_id(tool.get("id")) and is_exec_id(tool.get("exec_id")):
            context = {"attempt": attempt if type(attempt) is int and attempt >= 1 else 1}
            about = {"tool": {"id": tool["id"], "exec_id": tool["exec_id"]}}
            return self.say(to, "ToolExecutionResult", TOOL_EXECUTOR, cause, about, {**payload, "context": context})
        self.say(to, "CommandAck", AGENT_RUNTIME, cause, {}, {**payload, "context": {}})

    def _ask(self, subject: str, headers: dict[str, str], body: bytes) -> asyncio.Future[Message] | None:
        try:
            return self.client.ask(subject, body, headers)
        except Disconnected:
            return None

    async def _kept(
        self,
        subject: str,
        name: str,
        headers: dict[str, str],
        body: bytes,
        answer: asyncio.Future[Message] | None,
        seconds: float,
    ) -> bool:
        until = time.monotonic() + seconds
        while True:
            try:
                if answer is None:
                    raise Disconnected("there is no connection")
                kept = body_of((await asyncio.wait_for(answer, ACKNOWLEDGED_WITHIN)).data)
                if "error" not in kept:
                    return True
                reason = str(part(kept, "error").get("description"))
            except (NatsError, TimeoutError, Refused) as error:
                reason = str(error) or "no stream has acknowledged it"
            if time.monotonic() >= until:
                log.error("%s is on no stream: %s", name, reason)
                return False
            await self._until_again(until)
            # The stream knows it by its message id, and keeps it once.
            answer = self._ask(subject, headers, body)

    async def _delivered(self, subject: str, headers: dict[str, str], body: bytes) -> bool:
        until = time.monotonic() + USEFUL
        while time.monotonic() < until:
            try:
                if await self.client.is_heard(subject, body, headers):
                    return True
            except (NatsError, TimeoutError) as error:
                log.debug("a result could not be sent: %s", error)
            await self._until_again(until)
        log.error("nobody has heard the result on %s", subject)
        return False

    async def _until_again(self, until: float) -> None:
        """A moment; and until there is a connection."""
        await asyncio.sleep(AGAIN)
        try:
            await asyncio.wait_for(self.client.connected(), max(0.0, until - time.monotonic()))
        except TimeoutError:
            # Whoever waits sees that it is too late.
            pass

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a defect of the runtime", exc_info=task.exception())
