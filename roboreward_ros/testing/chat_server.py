# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An OpenAI-compatible endpoint in a thread that runs a real small model, and fails on demand."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import ssl
import threading
from collections import deque
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.rewards.vlm.prompt import AUTO, IMAGE_TRIPLE, VideoForm, chat, video_placeholder
from roboreward_ros.types import ImageU8
from roboreward_ros.types.codec import Fields, JsonObject, JsonValue, from_text

if TYPE_CHECKING:
    from roboreward_ros.rewards.vlm.backend import Backend, Feed

MODEL = "tiny"


class Fault(StrEnum):
    """How the next request fails."""

    TOO_MANY = "429"
    BROKEN = "500"
    BUSY = "503"
    SLOW = "slow"
    DRIP = "drip"
    HTML = "html"
    CUT = "cut"
    NOT_A_CHAT = "not a chat"
    NO_LOGPROBS = "no logprobs"
    ECHO = "echo"  # repeats the request's headers in an error


class ChatServer:
    """Serves ``/v1/models`` and ``/v1/chat/completions``; use as a context manager.

    Args:
        backend: the model; None where a test does not come so far.
        token: bearer token that requests must carry; "" for none.
        port: 0 takes a free one.
        tls: file with certificate and key; None serves plain http.

    Attributes:
        faults: taken by requests, oldest first; an empty queue means health.
        requests: bodies of all chat requests.
        texts: replies to print instead of the model's, oldest first.
        retry_after: value of that header with a 429; "" for none.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        token: str = "",
        port: int = 0,
        tls: Path | None = None,
    ) -> None:
        self._backend = backend
        self.token = token
        self.faults: deque[Fault] = deque()
        self.requests: list[JsonObject] = []
        self.texts: deque[str] = deque()
        self.retry_after = "0"
        self.usage = True
        self.stopping = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, body: JsonObject, logprobs: bool = True) -> JsonObject:
        """The chat completion of one request."""
        if self.texts:
            return self._completion(self.texts.popleft(), None, 10, 3, "stop")
        with self._one_at_a_time:
            return self._generate(body, logprobs)

    def _generate(self, body: JsonObject, logprobs: bool) -> JsonObject:
        import torch

        from roboreward_ros.rewards.vlm.backend import Feed
        from roboreward_ros.rewards.vlm.layout import Tokens

        backend = self._backend
        assert backend is not None, "give the server a model"
        fields = Fields(body, "request")
        feed = _read_messages(backend, fields)
        tokenizer = backend.weights.tokenizer
        prompt_tokens = len(feed.tokens)
        content: list[JsonValue] = []
        text, reason = "", "length"
        for _ in range(fields.integer("max_tokens")):
            logp = backend.last_logits([feed])[0].double().log_softmax(-1)
            chosen = int(logp.argmax())
            if chosen == tokenizer.eos_token_id:
                reason = "stop"
                break
            count = 20 if fields.missing("top_logprobs") else fields.integer("top_logprobs")
            top = torch.topk(logp, min(count, len(logp)))
            token = tokenizer.decode([chosen])
            others: list[JsonValue] = [
                {"token": tokenizer.decode([int(index)]), "logprob": float(value)}
                for value, index in zip(top.values, top.indices, strict=True)
            ]
            content.append({"token": token, "logprob": float(logp[chosen]), "top_logprobs": others})
            text += token
            place = np.full((3, 1), int(feed.tokens.positions.max()) + 1)
            grown = Tokens(
                np.append(feed.tokens.ids, chosen), np.append(feed.tokens.positions, place, axis=1)
            )
            feed = Feed(grown, feed.groups, feed.images, feed.seconds_per_group)
        wanted = logprobs and not fields.missing("logprobs")
        return self._completion(
            text, content if wanted else None, prompt_tokens, len(content), reason
        )

    def _completion(
        self, text: str, content: list[JsonValue] | None, n_in: int, n_out: int, reason: str
    ) -> JsonObject:
        choice: JsonObject = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "logprobs": None if content is None else {"content": content},
            "finish_reason": reason,
        }
        done: JsonObject = {"object": "chat.completion", "model": MODEL, "choices": [choice]}
        if self.usage:
            done["usage"] = {"prompt_tokens": n_in, "completion_tokens": n_out}
        return done


def _read_messages(backend: Backend, fields: Fields) -> Feed:
    system, lead, user = AUTO, "", ""
    clip: Clip | None = None
    images: list[ImageU8] = []
    for message in fields.objects("messages"):
        role = message.text("role")
        if role == "system":
            system = message.text("content")
        elif role == "assistant":
            lead = message.text("content")
        else:
            for part in message.objects("content"):
                kind = part.text("type")
                if kind == "text":
                    user += part.text("text")
                elif kind == "image_url":
                    images.append(_image(part.fields("image_url").text("url").split(",")[1]))
                    user += IMAGE_TRIPLE
                else:
                    clip = _clip(part.fields("video_url").text("url"), fields)
                    user += video_placeholder(VideoForm.AUTO, backend.family)
    return backend.encode(chat(user, system, backend.family), clip, images, lead)


def _image(text: str) -> ImageU8:
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        return np.asarray(image.convert("RGB"))


def _clip(url: str, fields: Fields) -> Clip:
    head, _, data = url.partition(",")
    if "mp4" in head:
        import av

        with av.open(io.BytesIO(base64.b64decode(data))) as file:
            rate = file.streams.video[0].average_rate
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        spacing = 1 / float(rate)
        return Clip(np.stack(frames), tuple(k * spacing for k in range(len(frames))), spacing)
    stack = np.stack([_image(text) for text in data.split(",")])
    if fields.missing("media_io_kwargs"):
        return Clip(stack, tuple(0.5 * k for k in range(len(stack))), 0.5)
    video = fields.fields("media_io_kwargs").fields("video")
    times = tuple(index / video.number("fps") for index in video.integers("frames_indices"))
    return Clip(stack, times, times[-1] / max(1, len(times) - 1))


def _handler(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            if self._admitted():
                self._send(200, {"object": "list", "data": [{"id": MODEL}]})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            if not self._admitted():
                return
            body = from_text(raw, "request")
            server.requests.append(body)
            fault = server.faults.popleft() if server.faults else None
            if fault is None:
                self._send(200, server.answer(body))
            else:
                self._fail(fault, body)

        def _admitted(self) -> bool:
            if server.token and self.headers.get("Authorization") != f"Bearer {server.token}":
                self._send(401, {"error": f"wrong token {self.headers.get('Authorization')}"})
                return False
            return True

        def _fail(self, fault: Fault, body: JsonObject) -> None:
            match fault:
                case Fault.TOO_MANY:
                    extra = {"Retry-After": server.retry_after} if server.retry_after else {}
                    self._send(429, {"error": "too many requests"}, extra)
                case Fault.BROKEN | Fault.BUSY:
                    self._send(int(fault), {"error": "out of memory"})
                case Fault.SLOW:
                    server.stopping.wait(60.0)
                    self.close_connection = True
                case Fault.DRIP:
                    self.send_response(200)
                    self.send_header("Content-Length", "100000")
                    self.end_headers()
                    with contextlib.suppress(OSError):
                        while not server.stopping.wait(0.02):
                            self.wfile.write(b" ")
                            self.wfile.flush()
                    self.close_connection = True
                case Fault.HTML:
                    self._raw(200, b"<html><body>Please log in</body></html>", "text/html")
                case Fault.CUT:
                    self.send_response(200)
                    self.send_header("Content-Length", "5000")
                    self.end_headers()
                    self.wfile.write(b'{"choices": [')
                    self.close_connection = True
                case Fault.NOT_A_CHAT:
                    self._send(200, {"object": "list", "data": []})
                case Fault.ECHO:
                    self._send(400, {"error": str(dict(self.headers))})
                case Fault.NO_LOGPROBS:
                    self._send(200, server.answer(body, logprobs=False))

        def _send(
            self, status: int, content: JsonObject, extra: dict[str, str] | None = None
        ) -> None:
            self._raw(status, json.dumps(content).encode(), "application/json", extra)

        def _raw(
            self, status: int, content: bytes, kind: str, extra: dict[str, str] | None = None
        ) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                for name, value in (extra or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except OSError:  # the client gave up
                self.close_connection = True

    return Handler
