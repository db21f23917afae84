"""One run of an agent or a tool: what its handler is told and may say, how it is begun, stopped and answered.

    begun ──returned──▶ SUCCESS                  an agent that returns nothing has failed
      ├─────raised────▶ AGENT_ERROR, TOOL_ERROR
      └─────cancel────▶ stopping ──settled, or 4 s──▶ FAILURE, or silence if nobody waits any more
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from calls import Call, Ended
from sender import Sender
from wire import AGENT_RUNTIME, TOOL_EXECUTOR, Cause, Data, flaw_of, is_definition_id, is_own_code, part, written

log = logging.getLogger("troupe")

Kind = Literal["agent", "tool"]
Handler = Callable[[Any, "Run"], Any]

# A handler that is told to stop has so long; its caller waits a second longer. In seconds, as all that follow.
STOP_GRACE = 4.0
# How much later than its own time its caller may say that it is over.
DEADLINE_GRACE = 10.0
# How long a result waits until a stream has it that its run has begun.
STARTED_WITHIN = 1.0


class Failure(Exception):
    """Ends a run with an error of its own. The code is in capitals; retry rules of a workflow may name it."""

    def __init__(self, message: str, code: str | None = None, details: Data | None = None) -> None:
        super().__init__(message)
        if code is not None and not is_own_code(code):
            raise ValueError(f"{code!r} is no code: write it in capitals, such as CARD_DECLINED")
        self.code = code
        self.details = details or {}


@dataclass(frozen=True)
class Words:
    """What agents and tools have different words for."""

    source: str
    started: str
    step: str
    result: str
    erred: str
    canceled: str


_WORDS: dict[Kind, Words] = {
    "agent": Words(
        AGENT_RUNTIME, "AgentExecutionStarted", "AgentStep", "AgentExecutionResult", "AGENT_ERROR", "AGENT_CANCELED"
    ),
    "tool": Words(
        TOOL_EXECUTOR, "ToolExecutionStarted", "ToolStep", "ToolExecutionResult", "TOOL_ERROR", "TOOL_CANCELED"
    ),
}


@dataclass(frozen=True)
class Host:
    """What a run needs of the process that it is in."""

    own: Data
    sender: Sender
    loop: asyncio.AbstractEventLoop
    threads: ThreadPoolExecutor


@dataclass(frozen=True)
class Answer:
    """A result as it was sent, to be sent again."""

    subject: str
    headers: dict[str, str]
    body: bytes


class Run:
    """What a handler is told of the run it works for, and where it may say things."""

    def __init__(self, host: Host, kind: Kind, order: Data, cause: Cause) -> None:
        context = part(order["payload"], "context")
        self.kind: Kind = kind
        self.id: str = order[kind]["id"]
        # The same whenever the same attempt is asked for again: for what must not happen twice.
        self.exec_id: str = order[kind]["exec_id"]
        self.attempt: int = context["attempt"]
        self.input: Any = context["input"]
        # The workflow and the task that it is for, as {id, exec_id}; empty if there is none.
        self.workflow = part(order, "workflow")
        self.task = part(order, "task")
        self.correlation_id = cause.correlation
        # What the task asks for beside the input, if it does: action, instructions, tools …
        self.request = part(context, "agent_request")
        # What the attempt before this one said last by `step`.
        self.last_step: Any = context.get("last_step")
        # How long it may take, in seconds; 0 is for ever.
        self.timeout: float = part(context, "timeout_config")["timeout_duration_ms"] / 1000
        # Set once it is to stop: whatever it returns after that is dropped.
        self.canceled = threading.Event()

        self._host = host
        self._words = _WORDS[kind]
        self._cause = cause
        self._sections: Data = {one: order[one] for one in ("workflow", "task", "agent", "tool") if part(order, one)}
        self._reply_to: str | None = order["payload"].get("reply_to_subject")
        self._told_to_stop: tuple[str, str] | None = None
        self._stop = asyncio.Event()
        self._calls: set[Call] = set()
        self._has_thought = False
        self._seq = 0
        self._answer: Answer | None = None
        # By the clock that only goes forward.
        self.ended_at = 0.0

    # ── for its handler ──────────────────────────────────────────────────────────────────────────

    def thinking(self, text: str) -> None:
        """What the agent thinks, as progress for whoever watches."""
        self._has_thought = True
        self._progress("AgentThinking", "thinking", {"text": str(text)})

    def token(self, text: str) -> None:
        """A piece of the agent's answer, as progress for whoever watches."""
        self._progress("AgentToken", "token", {"text": str(text)})

    def step(self, data: Any) -> None:
        """A step it has done: for whoever watches, and for the next attempt if this one fails."""
        flaw = flaw_of(data)
        if flaw is not None:
            raise Failure(f"a step cannot be told: {flaw}", code="VALIDATION_FAILED")
        self._progress(self._words.step, "step", {"step": data})

    async def tool(self, id: str, input: Any = None, timeout: float = 30.0) -> Data:
        """Runs a tool by its id and gives its output; raises Failure with the code of what went wrong."""
        if self.kind != "agent":
            raise Failure("a tool calls no tools: only agents do", code="INVALID_STATE")
        if not is_definition_id(id):
            raise Failure(f"{id!r} is no id of a tool: 1 to 64 letters, digits, _ and -", code="INVALID_ID")
        self._think()
        call = Call(self._host.sender, self._cause, self._sections, self.attempt, id, input, timeout)
        self._calls.add(call)
        try:
            return await call.result()
        except Ended as ended:
            raise Failure(str(ended), ended.code, ended.details) from None
        except asyncio.CancelledError:
            self._host.sender.begin(call.end("requested", "the agent waits for it no longer"))
            raise
        finally:
            self._calls.discard(call)

    def wait(self, awaitable: Coroutine[Any, Any, Any]) -> Any:
        """For a plain `def`, which cannot await: `run.wait(run.tool("look", {…}))`."""
        return asyncio.run_coroutine_threadsafe(awaitable, self._host.loop).result()

    # ── for the runtime ──────────────────────────────────────────────────────────────────────────

    @property
    def answer_bytes(self) -> int:
        return len(self._answer.body) if self._answer else 0

    @property
    def is_stopping(self) -> bool:
        return self._told_to_stop is not None

    @property
    def _is_given_up(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self._told_to_stop is not None and self._told_to_stop[0] in ("timed_out", "caller_lost")

    def stop(self, cause: str, reason: str) -> None:
        """It is to end. Once given up is given up: a later cancel with another cause brings no caller back."""
        if not self._is_given_up:
            self._told_to_stop = (cause, reason)
        self._stop.set()

    def repeat(self) -> None:
        """Its order came again: the same answer, if there is one, and nothing else."""
        if self._answer is not None:
            self._host.sender.deliver(self._answer.subject, self._answer.headers, self._answer.body)

    def fail(self, code: str, message: str, details: Data | None = None) -> None:
        """It is not begun."""
        self._say_result("FAILURE", {"error": {"code": code, "message": message, "details": details or {}}})

    async def perform(self, handler: Handler) -> None:
        """Begins the handler, sees it to its end, and answers."""
        started = self._say_started()
        work = self._begun(handler)
        stop = self._host.loop.create_task(self._stop.wait())
        limit = self.timeout + DEADLINE_GRACE if self.timeout > 0 else None
        await asyncio.wait({work, stop}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not work.done():
            if not self.is_stopping:
                self.stop("caller_lost", "its time is over, and its caller was not heard of")
            return await self._abort(work)
        self._end_calls("caller_lost", "the agent has ended")
        if self.kind == "agent":
            self._think()
        # The result goes another way, and would overtake it.
        await asyncio.wait({started}, timeout=STARTED_WITHIN)
        self._say_outcome(work)

    def _begun(self, handler: Handler) -> asyncio.Future[Any]:
        if inspect.iscoroutinefunction(handler):
            return self._host.loop.create_task(handler(self.input, self))
        return self._host.loop.run_in_executor(self._host.threads, handler, self.input, self)

    async def _abort(self, work: asyncio.Future[Any]) -> None:
        began = time.monotonic()
        reason = self._told_to_stop[1] if self._told_to_stop else ""
        self.canceled.set()
        self._end_calls("requested", reason)
        if isinstance(work, asyncio.Task):
            work.cancel()
        await asyncio.wait({work}, timeout=STOP_GRACE)
        confirmed = work.done()
        # What it still says is dropped, an error too.
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        if self._is_given_up:
            self.ended_at = time.monotonic()
            return
        details = {"confirmed": confirmed, "took_ms": round((time.monotonic() - began) * 1000)}
        self.fail(self._words.canceled, reason or "canceled", details)

    def _end_calls(self, cause: str, reason: str) -> None:
        for call in self._calls:
            self._host.sender.begin(call.end(cause, reason))

    # ── what is said of it ───────────────────────────────────────────────────────────────────────

    def _think(self) -> None:
        """Whoever watches an agent sees that it thinks before it acts, whether it says so or not."""
        if not self._has_thought:
            self.thinking("thinking")

    def _progress(self, name: str, word: str, said: Data) -> None:
        if threading.current_thread() is not threading.main_thread():
            self._host.loop.call_soon_threadsafe(self._progress, name, word, said)
            return
        self._seq += 1
        subject = self._host.sender.subjects.progress(self.kind, self.exec_id, word, self.correlation_id)
        payload = {"context": {"attempt": self.attempt, "seq": self._seq, **said}}
        self._host.sender.say(subject, name, self._words.source, self._cause, self._sections, payload)

    def _say_started(self) -> asyncio.Task[bool]:
        sender, words = self._host.sender, self._words
        sections = {**self._sections, **({"agent_runtime": self._host.own} if self.kind == "agent" else {})}
        payload = {"status": "RUNNING", "result": None, "context": {"attempt": self.attempt}}
        subject = sender.subjects.event(self.kind, self.exec_id, "started", self.correlation_id)
        return sender.keep(subject, words.started, words.source, self._cause, sections, payload)

    def _say_outcome(self, work: asyncio.Future[Any]) -> None:
        erred = self._words.erred
        error = Failure("it canceled itself", code="CANCELED_ITSELF") if work.cancelled() else work.exception()
        if error is not None:
            return self._say_result(erred, {"error": self._error_of(error)})
        output = work.result()
        data = {} if output is None else output if isinstance(output, dict) else {"value": output}
        flaw = flaw_of(data)
        if flaw is not None:
            error = Failure(f"the output cannot be written as JSON: {flaw}", code="OUTPUT_INVALID")
        elif self.kind == "agent" and not data:
            error = Failure("the agent returned nothing", code="EMPTY_RESULT")
        else:
            return self._say_result("SUCCESS", {"output": data})
        self._say_result(erred, {"error": self._error_of(error)})

    def _error_of(self, error: BaseException) -> Data:
        """An error as the protocol has it: a code of its own goes into the details."""
        erred = self._words.erred
        if not isinstance(error, Failure):
            log.error("%s '%s' failed", self.kind, self.id, exc_info=error)
            message = f"{type(error).__name__}: {error}".encode(errors="replace").decode()
            return {"code": erred, "message": message, "details": {}}
        details = error.details if flaw_of(error.details) is None else {}
        cause = {} if error.code in (None, erred) else {"cause_code": error.code}
        message = str(error).encode(errors="replace").decode()
        return {"code": erred, "message": message, "details": {**details, **cause}}

    def _say_result(self, status: str, result: Data) -> None:
        self.ended_at = time.monotonic()
        if self._reply_to is None:
            return
        headers, body = self._result(status, result)
        limit = self._host.sender.bytes_max(self._cause)
        if len(body) > limit:
            message = f"the result takes {len(body)} bytes, and one message may take {limit}"
            large = Failure(message, code="PAYLOAD_TOO_LARGE", details={"size": len(body), "limit": limit})
            headers, body = self._result(self._words.erred, {"error": self._error_of(large)})
        self._answer = Answer(self._reply_to, headers, body)
        self.repeat()

    def _result(self, status: str, result: Data) -> tuple[dict[str, str], bytes]:
        payload = {"status": status, "result": result, "context": {"attempt": self.attempt}}
        return written(self._words.result, self._words.source, self._cause, self._sections, payload)
