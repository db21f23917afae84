"""A tool called by an agent of this runtime: ordered, awaited, and told of in the log, whatever becomes of it.

    ordered ──result──▶ completed · failed      the tool spoke, for good or ill
        ├─────timeout──────────▶ failed         nobody spoke; the tool is told to stop
        ├─────no responder─────▶ failed         nobody listens
        └─────end──────────────▶ canceled       the agent was told to stop, or has ended
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from nats_client import Disconnected, Message, NoResponders
from sender import Sender
from wire import AGENT_RUNTIME, Cause, Data, Refused, body_of, flaw_of, is_own_code, new_id, part, written

# A canceled tool has so long to answer, in seconds.
CANCEL_GRACE = 5.0
# The words are the protocol's: people match on them.
TIMED_OUT = "NATS request timed out waiting for ToolExecutionResult"
# What a tool may end with; any other code is the tool's own, and stands in the details.
CODES = frozenset(
    "TOOL_ERROR TOOL_NOT_FOUND TOOL_INPUT_INVALID TOOL_OUTPUT_INVALID TOOL_DISPATCH_FAILED TOOL_INVOCATION_TIMEOUT"
    " TOOL_CANCELED INTERNAL_ERROR VALIDATION_FAILED INVALID_ENVELOPE INVALID_SUBJECT UNKNOWN_MESSAGE_TYPE"
    " MESSAGE_TYPE_MISMATCH PAYLOAD_TOO_LARGE".split()
)


class Ended(Exception):
    """The call ended without an output; `code` is one of the protocol's."""

    def __init__(self, error: Data) -> None:
        super().__init__(str(error["message"]))
        self.code = str(error["code"])
        self.details: Data = part(error, "details")
        self.error = error


class Call:
    """One tool execution, as the agent that called it sees it."""

    def __init__(
        self, sender: Sender, cause: Cause, sections: Data, attempt: int, id: str, input: Any, timeout: float
    ) -> None:
        self.id = id
        self.exec_id = new_id()
        # It is told to end, or has.
        self.is_over = False
        self._sender = sender
        self._cause = cause
        self._sections: Data = {**sections, "tool": {"id": id, "exec_id": self.exec_id}}
        self._attempt = attempt
        self._input = input
        self._timeout = timeout
        self._began = time.monotonic()
        self._asking: asyncio.Task[Message] | None = None

    async def result(self) -> Data:
        """The output; or raises Ended."""
        flaw = flaw_of(self._input)
        if flaw is not None:
            error = {"code": "VALIDATION_FAILED", "message": f"the input cannot be written: {flaw}", "details": {}}
            raise Ended(error)
        self._asking = asyncio.create_task(self._ask())
        try:
            answer = await asyncio.wait_for(asyncio.shield(self._asking), self._timeout)
            output = self._output_of(answer)
        except TimeoutError:
            self._asking.cancel()
            ended = Ended({"code": "TOOL_INVOCATION_TIMEOUT", "message": TIMED_OUT, "details": {}})
        except NoResponders:
            details = {"reason": "no_responders"}
            ended = Ended({"code": "TOOL_DISPATCH_FAILED", "message": "no tool executor answers", "details": details})
        except Ended as error:
            ended = error
        else:
            if not self.is_over:
                self.is_over = True
                self._tell("ToolExecutionSuccess", "completed", "SUCCESS", {"output": output})
            return output
        if not self.is_over:
            self.is_over = True
            self._tell("ToolExecutionFailed", "failed", "FAILED", {"error": ended.error})
            if ended.code == "TOOL_INVOCATION_TIMEOUT":
                self._tell_to_stop("timed_out", TIMED_OUT)
        raise ended

    async def end(self, cause: str, reason: str) -> None:
        """The agent waits for it no longer: the tool is told to stop, and has a moment to answer."""
        if self.is_over:
            return
        self.is_over = True
        self._tell_to_stop(cause, reason)
        if self._asking is not None:
            if cause == "requested":
                await asyncio.wait({self._asking}, timeout=CANCEL_GRACE)
            self._asking.cancel()
        subject = self._sender.subjects.event("tool", self.exec_id, "canceled", self._cause.correlation)
        payload = {"status": "CANCELED", "result": None, "context": {"attempt": self._attempt, "reason": reason}}
        self._sender.keep(subject, "ToolExecutionCanceled", AGENT_RUNTIME, self._cause, self._sections, payload)

    async def _ask(self) -> Message:
        """Asks; and again when the connection was lost, with the same ids: the tool is not begun twice."""
        sender = self._sender
        scope = str(part(self._sections, "workflow").get("id", "_"))
        subject = sender.subjects.tool_command(scope, "execute", self.id, self._cause.correlation)
        context = {
            "attempt": self._attempt,
            "input": self._input,
            "timeout_config": {"timeout_duration_ms": round(self._timeout * 1000), "timeout_policy": "FAIL_TASK"},
        }
        inbox = sender.client.inbox()
        payload: Data = {"reply_to_subject": inbox, "context": context}
        headers, body = written("ToolExecute", AGENT_RUNTIME, self._cause, self._sections, payload)
        limit = sender.bytes_max(self._cause)
        if len(body) > limit:
            message = f"the input takes {len(body)} bytes, and one message may take {limit}"
            raise Ended({"code": "PAYLOAD_TOO_LARGE", "message": message, "details": {"limit": limit}})
        while True:
            try:
                return await sender.client.ask(subject, body, headers, inbox)
            except Disconnected:
                await sender.client.connected()

    def _output_of(self, answer: Message) -> Data:
        try:
            payload = part(body_of(answer.data), "payload")
        except Refused as refused:
            raise Ended({"code": "INTERNAL_ERROR", "message": f"the tool's answer: {refused}"}) from None
        result = part(payload, "result")
        if payload.get("status") == "SUCCESS" and isinstance(result.get("output"), dict):
            return part(result, "output")
        raise Ended(_error_of(str(payload.get("status")), part(result, "error")))

    def _tell(self, name: str, word: str, status: str, result: Data) -> None:
        duration = round((time.monotonic() - self._began) * 1000)
        payload = {"status": status, "duration_ms": duration, "result": result, "context": {"attempt": self._attempt}}
        subject = self._sender.subjects.event("tool", self.exec_id, word, self._cause.correlation)
        self._sender.keep(subject, name, AGENT_RUNTIME, self._cause, self._sections, payload)

    def _tell_to_stop(self, cause: str, reason: str) -> None:
        scope = str(part(self._sections, "workflow").get("id", "_"))
        subject = self._sender.subjects.tool_command(scope, "cancel", self.exec_id, self._cause.correlation)
        payload = {"context": {"attempt": self._attempt, "cause": cause, "reason": reason}}
        self._sender.say(subject, "ToolCancel", AGENT_RUNTIME, self._cause, self._sections, payload)


def _error_of(status: str, error: Data) -> Data:
    """What the tool says went wrong, with a code that the protocol knows."""
    code, details = error.get("code"), part(error, "details")
    message = str(error.get("message", f"the tool answers {status} and does not say why"))
    if code in CODES:
        return {"code": code, "message": message, "details": details}
    known = "TOOL_ERROR" if status == "TOOL_ERROR" else "INTERNAL_ERROR"
    more = {"cause_code": code} if is_own_code(code) else {}
    return {"code": known, "message": message, "details": {**details, **more}}
