"""A stand-in for every provider: it answers each request, and remembers what reached it."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from routeproof_litellm.fields import Json


class Reached(NamedTuple):
    """A request that reached the provider: the target as a row would name it, and the key."""

    model: str
    key: str


class Upstream:
    """A web server of the adapter's own loop."""

    def __init__(self) -> None:
        """Nothing has reached it yet."""
        self._reached: dict[str, Reached] = {}
        self._web: Any = importlib.import_module("aiohttp.web")
        self._runner: Any = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a port of this machine."""
        app = self._web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = self._web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = self._web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def end(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    def environment(self) -> dict[str, str]:
        """Return the variables by which LiteLLM takes it for each provider of whose targets rows are made."""
        return {
            "OPENAI_API_BASE": f"{self.url}/v1",
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "AZURE_API_BASE": self.url,
            "AZURE_API_VERSION": "2024-10-21",
            "ANTHROPIC_API_BASE": self.url,
            "ANTHROPIC_BASE_URL": self.url,
        }

    def take(self, question: str) -> Reached | None:
        """Return the request that reached it with that question, and forget it."""
        return self._reached.pop(question, None)

    async def _answer(self, request: Any) -> Any:
        body = await request.json()
        reached, reply = answered(request.path, request.headers, body)
        self._reached[question_of(body)] = reached
        return self._web.json_response(reply)


def question_of(body: Json) -> str:
    """Return the text of the last message: a text, or a list of parts."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else str(content[0]["text"])


def answered(path: str, headers: Any, body: Json) -> tuple[Reached, Json]:
    """Return what reached the provider whose path it is, and its reply."""
    key = headers.get("authorization", "").removeprefix("Bearer ")
    if path.endswith("/messages"):
        reached = Reached(f"anthropic/{body['model']}", headers.get("x-api-key") or key)
        content = [{"type": "text", "text": "yes"}]
        usage = {"input_tokens": 1, "output_tokens": 1}
        reply: Json = {
            "type": "message",
            "role": "assistant",
            "stop_reason": "end_turn",
            "content": content,
            "usage": usage,
        }
        return reached, {"id": "msg_1", "model": body["model"], **reply}
    deployed = re.search(r"/deployments/(.+)/chat/completions$", path)
    model = f"openai/{body['model']}" if deployed is None else f"azure/{deployed[1]}"
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    reply = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "choices": [choice], "usage": usage}
    return Reached(model, headers.get("api-key") or key), {**reply, "model": model}
