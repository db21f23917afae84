"""The protocol on the wire, as far as a runtime needs it: subjects, envelopes, and what is taken of what comes.

Everything here is text and dictionaries; nothing is sent and nothing waits. What does not follow the protocol is
`Refused`, with the code that the sender is told.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

# A JSON object.
Data = dict[str, Any]

# What the protocol allows one message to be, whatever the server takes.
MESSAGE_BYTES_MAX = 1_048_576
DEPTH_MAX = 100
# Beyond it neighbours in JSON become one number.
INTEGER_MAX = 2**53 - 1

AGENT_RUNTIME = "agent.Runtime"
TOOL_EXECUTOR = "tool.Executor"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EXEC_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_OWN_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_COMMANDS = frozenset(
    "WorkflowExecute WorkflowPause WorkflowResume WorkflowCancel WorkflowSignal TaskTrigger TaskExecute TaskResume"
    " TaskCancel TriggerAgent AgentCancel ToolExecute ToolCancel AgentRuntimeExecute AgentRuntimeCancel".split()
)
_CAUSES = ("requested", "timed_out", "caller_lost", "parent_ended")


def is_definition_id(text: object) -> bool:
    """Whether it can name an agent or a tool: it becomes a token of a subject."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None and text not in ("_", "executions")


def is_exec_id(text: object) -> bool:
    return isinstance(text, str) and _EXEC_ID.fullmatch(text) is not None


def is_own_code(text: object) -> bool:
    """Whether it can be the code of somebody's own error: capitals, such as CARD_DECLINED."""
    return isinstance(text, str) and _OWN_CODE.fullmatch(text) is not None


def new_id() -> str:
    """A UUID of version 7: it begins with the time, so that ids sort as they were made."""
    bits = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    bits = bits & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
    digits = f"{bits:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def timestamp() -> str:
    """Now, as the protocol writes times."""
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03d}Z"


class Refused(Exception):
    """What came is no message for a runtime; `code` says why."""

    def __init__(self, code: str, message: str, details: Data | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.details = details or {}

    def as_error(self) -> Data:
        return {"message": str(self), "code": self.code, "details": self.details}


class Subjects:
    """Where a message goes and where one comes from, in one of the two layouts of a project."""

    def __init__(self, prefix: str = "compozy", layout: str = "flow") -> None:
        if not _ID.fullmatch(prefix):
            raise ValueError(f"'{prefix}' is no prefix: 1 to 64 letters, digits, _ and -")
        if layout not in ("flow", "correlated"):
            raise ValueError(f"'{layout}' is no layout of subjects: there are flow and correlated")
        self._prefix = prefix
        self._is_flow = layout == "flow"

    def _of(self, flow: str, correlated: str) -> str:
        return f"{self._prefix}.{flow if self._is_flow else correlated}"

    def event(self, entity: str, exec_id: str, word: str, correlation: str) -> str:
        return self._of(f"events.{entity}.instance.{exec_id}.{word}", f"{correlation}.{entity}.events.{exec_id}.{word}")

    def progress(self, entity: str, exec_id: str, word: str, correlation: str) -> str:
        return self._of(f"progress.{entity}.{exec_id}.{word}", f"{correlation}.{entity}.progress.{exec_id}.{word}")

    def tool_command(self, scope: str, word: str, target: str, correlation: str) -> str:
        return self._of(f"commands.tool.{scope}.{word}.{target}", f"{correlation}.tool.commands.{target}.{word}")

    def log(self, component: str, level: str, correlation: str) -> str:
        return self._of(f"logs.{component}.{correlation}.{level}", f"{correlation}.{component}.logs.{level}")

    def heartbeat(self, runtime: str) -> str:
        return f"{self._prefix}.heartbeats.agent_runtime.{runtime}"

    def rejected(self, code: str) -> str:
        return f"{self._prefix}.rejected.{code.lower()}"

    def runtime_commands(self, runtime: str) -> str:
        return self._of(f"commands.agent_runtime.{runtime}.>", f"*.agent_runtime.commands.{runtime}.>")

    def tool_orders(self, tool: str) -> str:
        return self._of(f"commands.tool.*.execute.{tool}", f"*.tool.commands.{tool}.execute")

    def tool_cancels(self) -> str:
        return self._of("commands.tool.*.cancel.*", "*.tool.commands.*.cancel")

    def deregistered(self, runtime: str) -> str:
        return self.event("agent_runtime", runtime, "deregistered", "*")

    def word_of(self, subject: str) -> tuple[str, str | None]:
        """The action of a command, and its target where the subject says it."""
        tokens = subject.removeprefix(f"{self._prefix}.").split(".")
        if len(tokens) != 5:
            return "", None
        if self._is_flow:
            return tokens[3], tokens[4]
        return tokens[4], tokens[3] if tokens[1] == "tool" else None


@dataclass(frozen=True)
class Cause:
    """What a message goes back to: it is repeated in all that follows from it."""

    correlation: str
    message: str | None = None
    trace: tuple[tuple[str, str], ...] = ()


def written(name: str, source: str, cause: Cause, sections: Data, payload: Data) -> tuple[dict[str, str], bytes]:
    """A message as it travels: headers and body."""
    message_id = new_id()
    metadata: Data = {
        "message_id": message_id,
        "message_type": name,
        "correlation_id": cause.correlation,
        **({"causation_id": cause.message} if cause.message is not None else {}),
        "event_timestamp": timestamp(),
        "source_component": source,
    }
    headers = {"Nats-Msg-Id": message_id, "Troupe-Correlation-Id": cause.correlation, **dict(cause.trace)}
    body = {"metadata": metadata, **sections, "payload": payload}
    return headers, json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def flaw_of(value: object, depth: int = DEPTH_MAX) -> str | None:
    """Why a value cannot travel as JSON that everybody reads alike; nothing if it can."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return "it has half a surrogate pair" if any("\ud800" <= letter <= "\udfff" for letter in value) else None
    if isinstance(value, int):
        return f"the integer {value:.6e} has more digits than JSON keeps" if abs(value) > INTEGER_MAX else None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is no number of JSON"
    if depth == 0:
        return f"it is nested deeper than {DEPTH_MAX}"
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            return "a key of it is no text"
        return _first_flaw([*value.keys(), *value.values()], depth)
    if isinstance(value, (list, tuple)):
        return _first_flaw(value, depth)
    return f"{type(value).__name__} is nothing that JSON has"


def _first_flaw(values: Any, depth: int) -> str | None:
    return next((flaw for flaw in (flaw_of(one, depth - 1) for one in values) if flaw is not None), None)


# ── what comes ───────────────────────────────────────────────────────────────────────────────────


def body_of(data: bytes) -> Data:
    """The JSON object of a body."""
    try:
        body = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        # What Python says of it quotes the body, and bodies hold secrets.
        raise Refused("INVALID_ENVELOPE", "the body is not JSON in UTF-8") from None
    if not isinstance(body, dict):
        raise Refused("INVALID_ENVELOPE", "the body is not a JSON object")
    return body


def _no_constant(name: str) -> object:
    raise ValueError(name)


def part(body: Data, name: str) -> Data:
    """A part of a body that is an object; empty if it is none."""
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def check_command(name: str, body: Data, target: str | None) -> None:
    """Raises what is wrong with a command that its subject says is named so."""
    metadata = part(body, "metadata")
    _check_name(name, metadata.get("message_type", name))
    wrong = [f"metadata.{field}" for field in ("correlation_id", "message_id") if not is_exec_id(metadata.get(field))]
    if not _TIMESTAMP.fullmatch(str(metadata.get("event_timestamp"))):
        wrong.append("metadata.event_timestamp")
    if not isinstance(metadata.get("source_component"), str) or not metadata["source_component"]:
        wrong.append("metadata.source_component")
    _refuse("INVALID_ENVELOPE", wrong)

    entity = "tool" if name.startswith("Tool") else "agent"
    own = part(body, entity)
    if not is_exec_id(own.get("exec_id")):
        wrong.append(f"{entity}.exec_id")
    if name.endswith("Execute") and not is_definition_id(own.get("id")):
        wrong.append(f"{entity}.id")
    meant = own.get("id") if name.endswith("Execute") else own.get("exec_id")
    if not wrong and target is not None and meant != target:
        raise Refused("INVALID_ENVELOPE", f"{entity} is another than the subject says", {"field": entity})
    _refuse("INVALID_ENVELOPE", wrong)
    _check_payload(name, part(body, "payload"))


def _check_payload(name: str, payload: Data) -> None:
    context = part(payload, "context")
    wrong: list[str] = []
    if name.endswith("Execute"):
        if not _is_count(context.get("attempt"), 1):
            wrong.append("payload.context.attempt")
        if "input" not in context:
            wrong.append("payload.context.input")
        if not _is_count(part(context, "timeout_config").get("timeout_duration_ms"), 0):
            wrong.append("payload.context.timeout_config.timeout_duration_ms")
    else:
        if context.get("cause") not in _CAUSES:
            wrong.append("payload.context.cause")
        if not isinstance(context.get("reason"), str):
            wrong.append("payload.context.reason")
    reply = payload.get("reply_to_subject")
    is_needed = name == "AgentRuntimeExecute"
    if (reply is not None or is_needed) and not is_subject(reply):
        wrong.append("payload.reply_to_subject")
    _refuse("VALIDATION_FAILED", wrong)


def _check_name(name: str, given: object) -> None:
    if given == name:
        return
    if given in _COMMANDS:
        raise Refused("MESSAGE_TYPE_MISMATCH", f"'{given}' on the subject of {name}", {"given": given})
    raise Refused("UNKNOWN_MESSAGE_TYPE", f"no command is named {str(given)[:80]!r}", {"given": str(given)[:80]})


def _refuse(code: str, wrong: list[str]) -> None:
    if wrong:
        errors = [{"field": field, "message": "is missing or wrong"} for field in wrong]
        raise Refused(code, f"{', '.join(wrong)}: missing or wrong", {"errors": errors})


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_subject(text: object) -> bool:
    """Whether something can be published there: no wildcard, no blank, no empty token."""
    return isinstance(text, str) and re.fullmatch(r"[^\s.*>]+(\.[^\s.*>]+)*", text) is not None
