"""An agent and a tool in Python."""

from runtime import agent, serve, tool


@tool("look")
def look(asked, run):
    return {"order": asked["order"], "state": "sent"}


@agent("clerk")
async def clerk(question, run):
    run.thinking(f"Looking up {question['order']}")
    found = await run.tool("look", {"order": question["order"]})
    return {"text": f"{found['order']} was {found['state']}."}


serve(name="clerk")
