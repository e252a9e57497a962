# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames as parts of a chat message."""

from __future__ import annotations

import base64
import io
from fractions import Fraction

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.chat.endpoint import EndpointConfig, Media
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.types import ImageU8
from roboreward_ros.types.codec import JsonObject, JsonValue

_JPEG_QUALITY = 95
_CRF = "10"


def video_parts(
    clip: Clip, config: EndpointConfig, control_hz: float
) -> tuple[list[JsonValue], JsonObject]:
    """The clip as content parts, and fields of the request that keep its frames as they are.

    Args:
        clip: chosen frames.
        config: what the server understands.
        control_hz: rate of the steps that the frames were chosen from.
    """
    fps = 1 / clip.seconds_per_frame
    count = len(clip.times_s)
    match config.media:
        case Media.IMAGES:
            lead = f"The video as {count} frames in order, {clip.seconds_per_frame:.2f} s apart:"
            parts: list[JsonValue] = [{"type": "text", "text": lead}]
            return parts + [image_part(frame) for frame in clip.frames], {}
        case Media.JPEG_LIST:
            steps: list[JsonValue] = [round(time_s * control_hz) for time_s in clip.times_s]
            listed = ",".join(_base64(jpeg(frame)) for frame in clip.frames)
            fields: JsonObject = {
                "media_io_kwargs": {
                    "video": {
                        "fps": control_hz,
                        "frames_indices": steps,
                        "total_num_frames": round(clip.times_s[-1] * control_hz) + 1,
                    }
                },
                "mm_processor_kwargs": {"do_sample_frames": False},
            }
            url = f"data:video/jpeg;base64,{listed}"
        case Media.MP4:
            url = f"data:video/mp4;base64,{_base64(mp4(clip.frames, fps))}"
            fields = {
                "media_io_kwargs": {"video": {"num_frames": -1}},
                "mm_processor_kwargs": {"fps": fps, "do_sample_frames": True},
            }
    part: JsonObject = {"type": "video_url", "video_url": {"url": url}}
    return [part], fields if config.vllm_fields else {}


def image_part(frame: ImageU8) -> JsonObject:
    """One frame ``[H, W, 3]`` as an image."""
    url = f"data:image/jpeg;base64,{_base64(jpeg(frame))}"
    return {"type": "image_url", "image_url": {"url": url}}


def jpeg(frame: ImageU8) -> bytes:
    """JPEG bytes without chroma subsampling: small coloured objects keep their edges."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def mp4(frames: ImageU8, fps: float) -> bytes:
    """An H.264 file of frames ``[n, H, W, 3]``, every one kept.

    Raises:
        RewardSourceError: odd sizes, or no encoder.
    """
    import av

    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise RewardSourceError(
            "an mp4 needs frames of even size",
            got=f"{height}x{width}",
            next_step="Set frame_factor to an even number, or media to jpeg_list or images.",
        )
    buffer = io.BytesIO()
    rate = Fraction(fps).limit_denominator(1000)
    try:
        with av.open(buffer, "w", format="mp4") as file:
            stream = file.add_stream("libx264", rate=rate, options={"crf": _CRF})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number, frame in enumerate(frames):
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                picture.pts, picture.time_base = number, 1 / rate
                for packet in stream.encode(picture):
                    file.mux(packet)
            for packet in stream.encode(None):
                file.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        raise RewardSourceError(
            "the frames cannot be encoded as mp4",
            got=str(error),
            next_step="Set media to jpeg_list or images.",
        ) from None
    return buffer.getvalue()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
