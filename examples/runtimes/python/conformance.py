"""The agent and the tool that `troupe runtime-test` can test completely: they do what their input says."""

import asyncio
import os
from typing import Any

from runtime import Failure, Run, agent, serve, tool

KNOWN_TO_TOOL = ("echo", "fail", "empty", "hang", "large", "count")
begun = {"agent": 0, "tool": 0}


def check(given: Any) -> None:
    if not isinstance(given, dict) or given.get("do") not in KNOWN_TO_TOOL:
        raise ValueError(f"`do` must be one of {', '.join(KNOWN_TO_TOOL)}")


async def conformance(given: Any, run: Run) -> Any:
    return await behave(given if isinstance(given, dict) else {}, run)


# Both of them, unless one is asked for.
serves = os.environ.get("CONFORMANCE_SERVES", "agent tool").split()
if "agent" in serves:
    agent("conformance")(conformance)
if "tool" in serves:
    tool("conformance", check=check)(conformance)


async def behave(given: dict[str, Any], run: Run) -> Any:
    begun[run.kind] += 1
    match given.get("do"):
        case "echo":
            return {"echo": given.get("value")}
        case "fail":
            raise Failure(given["message"], code=given["code"])
        case "empty":
            return {}
        case "hang":
            milliseconds = given.get("ms", 60_000)
            await asyncio.sleep(milliseconds / 1000)
            return {"waited": milliseconds}
        case "large":
            return {"text": "x" * given["bytes"]}
        case "count":
            return {"begun": begun[run.kind]}
        case "think":
            run.thinking(given["text"])
            run.token(given["text"])
            run.step({"at": 1})
            return {"thought": given["text"]}
        case "tool":
            return {"tool": await run.tool(given["tool"], given.get("input"))}
        case unknown:
            raise Failure(f"no behaviour is named {unknown!r}", code="UNKNOWN_BEHAVIOUR")


def seconds(variable: str, default: float) -> float:
    return int(os.environ.get(variable) or default * 1000) / 1000


serve(
    name="conformance",
    capacity=4,
    heartbeat=seconds("TROUPE_HEARTBEAT_MS", 5.0),
    lease=seconds("TROUPE_LEASE_MS", 15.0),
    drain=seconds("TROUPE_DRAIN_MS", 30.0),
)
