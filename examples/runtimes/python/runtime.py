"""Serves agents and tools written in Python, over NATS.

    from runtime import agent, serve

    @agent("clerk")
    async def clerk(question, run):
        run.thinking("Looking it up")
        return {"text": "A7 was sent."}

    serve()

A handler is given the input and its `Run`, and returns the result, or raises: `Failure("…", code="CARD_DECLINED")`
for what a workflow may look for, anything else for what nobody foresaw. An `async def` is canceled by a real
`CancelledError`; a plain `def` runs in a thread and looks at `run.canceled`. What goes over the wire stands in
docs/runtimes.md.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from nats_client import Client, Message, NatsError, NotAllowed, SignInFailed, Subscription, options_from_environment
from run import STOP_GRACE, Failure, Handler, Host, Kind, Run
from sender import Sender
from wire import AGENT_RUNTIME, TOOL_EXECUTOR, Cause, Data, Refused, Subjects, body_of, check_command
from wire import is_definition_id, is_exec_id, is_subject, new_id, part

__all__ = ["Failure", "Run", "Runtime", "agent", "serve", "tool"]
log = logging.getLogger("troupe")

Check = Callable[[Any], object]
H = TypeVar("H", bound=Handler)

# How long a run that has ended is known, so that its order, coming again, does not begin it anew; in seconds.
REMEMBERED = 120.0
# How many ended runs are remembered, whatever their age; and of how many bytes their answers are.
REMEMBERED_MAX = 10_000
REMEMBERED_BYTES_MAX = 64 * 1024 * 1024
CONNECT_AGAIN = 1.0
FAREWELL = 5.0


@dataclass(frozen=True)
class Served:
    """A handler, and for a tool what its input is held against first."""

    handler: Handler
    check: Check | None = None


_agents: dict[str, Served] = {}
_tools: dict[str, Served] = {}


def agent(id: str) -> Callable[[H], H]:
    """Serves the agent of this id with the function below it."""
    return _serving(_agents, "agent", id, None)


def tool(id: str, check: Check | None = None) -> Callable[[H], H]:
    """Serves the tool of this id with the function below it. `check` is given the input first, and raises ValueError
    if it is not as it must be: then the tool is not begun."""
    return _serving(_tools, "tool", id, check)


def _serving(served: dict[str, Served], kind: Kind, id: str, check: Check | None) -> Callable[[H], H]:
    if not is_definition_id(id):
        raise ValueError(f"{id!r} is no id of a {kind}: 1 to 64 letters, digits, _ and -")
    if id in served:
        raise ValueError(f"the {kind} '{id}' is served twice")

    def take(handler: H) -> H:
        served[id] = Served(handler, check)
        return handler

    return take


class Runtime:
    """One process that serves agents and tools: known to the daemon from its registration to its farewell."""

    def __init__(
        self, name: str = "python", capacity: int = 8, heartbeat: float = 5.0, lease: float = 15.0, drain: float = 30.0
    ) -> None:
        runtime_id = os.environ.get("TROUPE_RUNTIME_ID") or new_id()
        if not is_exec_id(runtime_id):
            raise ValueError(f"TROUPE_RUNTIME_ID is '{runtime_id}', and must be a UUID in lower case")
        if not is_definition_id(name):
            raise ValueError(f"'{name}' is no name of a runtime: 1 to 64 letters, digits, _ and -")
        self.id = runtime_id
        self.own: Data = {"id": name, "exec_id": runtime_id}
        prefix, layout = os.environ.get("TROUPE_PREFIX") or "compozy", os.environ.get("TROUPE_SUBJECTS") or "flow"
        self.subjects = Subjects(prefix, layout)
        # So many agents at once, and so many tools.
        self.capacity = capacity
        self.heartbeat, self.lease, self.drain = heartbeat, lease, drain
        options = options_from_environment(name, f"_INBOX_{runtime_id}")
        self._client = Client(dataclasses.replace(options, on_change=self._changed, on_error=self._went_wrong))
        self._sender = Sender(self._client, self.subjects)
        self._runs: dict[str, Run] = {}
        self._ended: OrderedDict[str, Run] = OrderedDict()
        self._answer_bytes = 0
        self._origin = Cause(runtime_id)
        self._beats = 0
        self._registering: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self._fault: NatsError | None = None

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then lets what runs end; a second signal ends it at once."""
        loop = asyncio.get_running_loop()
        threads = ThreadPoolExecutor(max_workers=2 * self.capacity, thread_name_prefix="handler")
        self._host = Host(self.own, self._sender, loop, threads)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_end)
        client, subjects = self._client, self.subjects
        client.subscribe(subjects.runtime_commands(self.id), self._command)
        client.subscribe(subjects.deregistered(self.id), self._forgotten)
        orders = [client.subscribe(subjects.tool_orders(id), self._tool_order, "tool-executor") for id in _tools]
        if _tools:
            client.subscribe(subjects.tool_cancels(), self._tool_cancel)
        await self._connect()
        beating = asyncio.create_task(self._beat_on())
        await self._ending.wait()
        await self._settle(orders)
        beating.cancel()
        await self._client.close()
        threads.shutdown(wait=False, cancel_futures=True)
        if self._fault is not None:
            raise self._fault

    # ── coming and going ─────────────────────────────────────────────────────────────────────────

    async def _connect(self) -> None:
        while not self._ending.is_set():
            try:
                return await self._client.connect()
            except SignInFailed:
                raise
            except NatsError as error:
                log.warning("%s; trying again", error)
                await asyncio.sleep(CONNECT_AGAIN)

    def _changed(self, is_up: bool) -> None:
        log.info("connected" if is_up else "the connection is lost")
        if is_up:
            self._register()

    def _went_wrong(self, error: Exception) -> None:
        log.warning("%s", error, exc_info=None if isinstance(error, NatsError) else error)
        if isinstance(error, NotAllowed) and "Subscription" in str(error):
            # It would be given work, and not hear of it.
            self._fault = error
            self._ending.set()

    def _forgotten(self, _: Message) -> None:
        """The dispatcher has given this runtime up; it is alive, and says so."""
        self._register()

    def _register(self) -> None:
        """Says who it is, at once, and again until a stream has it."""
        if self._registering is not None:
            self._registering.cancel()
        self._registering = self._sender.begin(self._registered())

    async def _registered(self) -> None:
        capabilities = {
            "agents": sorted(_agents),
            "supported_providers": [],
            "supported_models": [],
            "max_concurrent_executions": self.capacity,
            "language": "python",
            "version": ".".join(str(number) for number in sys.version_info[:3]),
        }
        context = {"heartbeat_ms": round(self.heartbeat * 1000), "lease_ms": round(self.lease * 1000)}
        own = {**self.own, "capabilities": capabilities}
        # No beat with it: it would overtake what goes by the stream, and come from a stranger.
        while not self._ending.is_set():
            if await self._tell_registry("AgentRuntimeRegistered", "registered", "REGISTERED", own, context):
                return log.info("registered as %s: agents %s; tools %s", self.id, sorted(_agents), sorted(_tools))

    def _tell_registry(self, name: str, word: str, status: str, own: Data, context: Data) -> asyncio.Task[bool]:
        subject = self.subjects.event("agent_runtime", self.id, word, self.id)
        payload = {"status": status, "result": None, "context": context}
        return self._sender.keep(
            subject, name, AGENT_RUNTIME, self._origin, {"agent_runtime": own}, payload, seconds=FAREWELL
        )

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(self.heartbeat)
            self._beat()

    def _beat(self) -> None:
        self._beats += 1
        draining = {"draining": True} if self._ending.is_set() else {}
        context = {"seq": self._beats, "in_flight": len(self._running("agent")), **draining}
        subject, about = self.subjects.heartbeat(self.id), {"agent_runtime": self.own}
        self._sender.say(subject, "AgentRuntimeHeartbeat", AGENT_RUNTIME, self._origin, about, {"context": context})

    def _told_to_end(self) -> None:
        if self._ending.is_set():
            os._exit(1)
        log.info("draining: what runs may end")
        self._ending.set()

    async def _settle(self, orders: list[Subscription]) -> None:
        """It is given nothing more; what runs may end, and what does not is told to; then it says that it goes."""
        self._beat()
        if self._registering is not None:
            self._registering.cancel()
        for order in orders:
            self._client.unsubscribe(order)
        await self._sender.settle(self.drain)
        for run in [*self._running("agent"), *self._running("tool")]:
            run.stop("requested", "the runtime shuts down")
        await self._sender.settle(STOP_GRACE + 1)
        await self._tell_registry(
            "AgentRuntimeDeregistered", "deregistered", "DEREGISTERED", self.own, {"reason": "shutdown"}
        )

    # ── agents ───────────────────────────────────────────────────────────────────────────────────

    def _command(self, message: Message) -> None:
        word, target = self.subjects.word_of(message.subject)
        names = {"execute": "AgentRuntimeExecute", "cancel": "AgentRuntimeCancel"}
        read = self._read(message, names.get(word), target, AGENT_RUNTIME)
        if read is not None:
            act = self._agent_order if word == "execute" else self._agent_cancel
            act(*read, message.reply)

    def _agent_order(self, order: Data, cause: Cause, reply: str) -> None:
        known = self._known(order["agent"]["exec_id"])
        if known is not None:
            self._acknowledge(order, cause, reply, {"duplicate": True})
            return known.repeat()
        error = self._why_not(order)
        self._acknowledge(order, cause, reply, {}, error)
        if error is None:
            run = Run(self._host, "agent", order, cause)
            self._begin(run, _agents[run.id].handler)

    def _why_not(self, order: Data) -> Data | None:
        id = order["agent"]["id"]
        if id not in _agents:
            return _error("AGENT_NOT_FOUND", f"this runtime has no agent '{id}'")
        if _is_reference(order):
            return _error("PAYLOAD_TOO_LARGE", NO_REFERENCES)
        if self._ending.is_set():
            return _error("AGENT_RUNTIME_BUSY", "the runtime shuts down")
        if len(self._running("agent")) >= self.capacity:
            return _error("AGENT_RUNTIME_BUSY", "the runtime has no free slot", limit="capacity", max=self.capacity)
        return None

    def _agent_cancel(self, order: Data, cause: Cause, reply: str) -> None:
        exec_id = order["agent"]["exec_id"]
        to = reply or order["payload"].get("reply_to_subject", "")
        run = self._runs.get(exec_id)
        if run is None:
            error = _error("EXECUTION_NOT_FOUND", f"agent execution '{exec_id}' does not run here")
            return self._acknowledge(order, cause, to, {}, error)
        self._acknowledge(order, cause, to, {"no_change": True} if run.is_stopping else {})
        _stop(run, order)

    def _acknowledge(self, order: Data, cause: Cause, to: str, extra: Data, error: Data | None = None) -> None:
        if not is_subject(to):
            return
        attempt = order["payload"]["context"].get("attempt")
        payload = {
            "status": "ERROR" if error else "ACKNOWLEDGED",
            "result": {"error": error} if error else None,
            "context": {**({} if attempt is None else {"attempt": attempt}), **extra},
        }
        about = {"agent_runtime": self.own, "agent": order["agent"]}
        self._sender.say(to, "CommandAck", AGENT_RUNTIME, cause, about, payload)

    # ── tools ────────────────────────────────────────────────────────────────────────────────────

    def _tool_order(self, message: Message) -> None:
        read = self._read(message, "ToolExecute", self.subjects.word_of(message.subject)[1], TOOL_EXECUTOR)
        if read is None:
            return
        order, cause = read
        if message.reply:
            order["payload"]["reply_to_subject"] = message.reply
        known = self._known(order["tool"]["exec_id"])
        if known is not None:
            return known.repeat()
        is_full = len(self._running("tool")) >= self.capacity
        served = _tools.get(order["tool"]["id"])
        run = Run(self._host, "tool", order, cause)
        if served is None:
            run.fail("TOOL_NOT_FOUND", f"there is no tool '{run.id}' here")
        elif is_full:
            details = {"reason": "all_busy", "limit": "capacity", "max": self.capacity}
            run.fail("TOOL_DISPATCH_FAILED", f"{self.capacity} tools are at work, and no more may be", details)
        elif _is_reference(order):
            run.fail("PAYLOAD_TOO_LARGE", NO_REFERENCES)
        elif (wrong := _flaw(served.check, run.input)) is not None:
            run.fail("TOOL_INPUT_INVALID", f"the input of tool '{run.id}': {wrong}")
        else:
            return self._begin(run, served.handler)
        self._remember(run)

    def _tool_cancel(self, message: Message) -> None:
        target = self.subjects.word_of(message.subject)[1]
        # Every process hears of every cancel: whoever holds the run acts.
        if target is not None and target not in self._runs:
            return
        read = self._read(message, "ToolCancel", target, TOOL_EXECUTOR)
        run = self._runs.get(read[0]["tool"]["exec_id"]) if read else None
        if read and run:
            _stop(run, read[0])

    # ── both ─────────────────────────────────────────────────────────────────────────────────────

    def _read(self, message: Message, name: str | None, target: str | None, source: str) -> tuple[Data, Cause] | None:
        """A command, and what follows from it goes back to; nothing if it is refused, which is said."""
        body: Data = {}
        try:
            if name is None:
                raise Refused("UNKNOWN_MESSAGE_TYPE", f"no command has the subject '{message.subject}'")
            body = body_of(message.data)
            metadata = part(body, "metadata")
            metadata.setdefault("message_id", message.headers.get("Nats-Msg-Id") or new_id())
            check_command(name, body, target)
        except Refused as refused:
            self._sender.refuse(message, name, body, refused, source)
            return None
        trace = tuple((key, message.headers[key]) for key in ("traceparent", "tracestate") if key in message.headers)
        return body, Cause(metadata["correlation_id"], metadata["message_id"], trace)

    def _running(self, kind: Kind) -> list[Run]:
        return [run for run in self._runs.values() if run.kind == kind]

    def _known(self, exec_id: str) -> Run | None:
        return self._runs.get(exec_id) or self._ended.get(exec_id)

    def _begin(self, run: Run, handler: Handler) -> None:
        self._runs[run.exec_id] = run
        self._sender.begin(self._perform(run, handler))

    async def _perform(self, run: Run, handler: Handler) -> None:
        try:
            await run.perform(handler)
        finally:
            del self._runs[run.exec_id]
            self._remember(run)

    def _remember(self, run: Run) -> None:
        """It has ended; the oldest that have are forgotten when their time is over, or when they are too many."""
        self._ended[run.exec_id] = run
        self._answer_bytes += run.answer_bytes
        while (oldest := next(iter(self._ended.values()))) is not run:
            is_crowded = len(self._ended) > REMEMBERED_MAX or self._answer_bytes > REMEMBERED_BYTES_MAX
            if not is_crowded and oldest.ended_at > time.monotonic() - REMEMBERED:
                return
            del self._ended[oldest.exec_id]
            self._answer_bytes -= oldest.answer_bytes


NO_REFERENCES = "this runtime does not read what travels by reference; send it inline, or use smaller data"


def _is_reference(order: Data) -> bool:
    given = order["payload"]["context"]["input"]
    return isinstance(given, dict) and "$ref" in given


def _error(code: str, message: str, **details: Any) -> Data:
    return {"code": code, "message": message, "details": details}


def _flaw(check: Check | None, given: Any) -> str | None:
    try:
        if check is not None:
            check(given)
    except ValueError as wrong:
        return str(wrong)
    return None


def _stop(run: Run, order: Data) -> None:
    context = order["payload"]["context"]
    run.stop(context["cause"], context["reason"])


def serve(name: str = "python", capacity: int = 8, **more: float) -> None:
    """Serves all that is marked with @agent and @tool until SIGTERM. Where the server is, and who we are there, stands
    in the environment: NATS_URL, NATS_NKEY or NATS_CREDS, TROUPE_PREFIX, TROUPE_SUBJECTS. `capacity` is how many agents
    run at once, and how many tools; more: `heartbeat`, `lease`, `drain`, in seconds."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    if not _agents and not _tools:
        sys.exit("nothing is served: mark a function with @agent or @tool")
    try:
        asyncio.run(Runtime(name, capacity, **more).run())
    except (NatsError, ValueError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
