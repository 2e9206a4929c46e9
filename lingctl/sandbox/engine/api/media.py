"""Pictures and the like in prompts: what the server checks of them, and how its tokenizers fail on them.

Ling reads text only, and the emulated service fetches nothing. Source: MindIE-LLM v3.0.0
src/server/endpoint/utils/infer_param.cpp (CheckMultimodalUrlFromJson) and mindie_llm/tokenizer/tokenizer.py;
a picture that cannot be had, one on the disk and a list that holds a string were seen on the real 3.0.0.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import PurePosixPath
from typing import Any

from lingctl.sandbox.engine.api.masking import masked
from lingctl.sandbox.engine.requests.errors import invalid

_URLS = ("image_url", "audio_url", "video_url")
_ENDINGS = {
    "image_url": (".jpg", ".jpeg", ".png"),
    "video_url": (".mp4", ".avi", ".wmv"),
    "audio_url": (".mp3", ".wav", ".flac"),
    "input_audio": (".mp3", ".wav", ".flac"),
}
_FOLDER = "/data/multimodal_inputs/"
_DATA = re.compile(
    "data:(image|video|audio)/(jpeg|png|mp4|x-msvideo|x-ms-wmv|mpeg|x-wav|flac);base64,[A-Za-z0-9+/=]+"
)
_MOST = 20
_LONGEST_URL = 4096
_FAILED = "[InferTokenizer::DownloadUrl] Download fail: "


def check_parts(parts: list[Any]) -> None:
    """The parts of a prompt that is a list, before it is given to a tokenizer.

    Raises:
        ApiError: a part that is not well formed, or too many media.
    """
    media = 0
    for part in parts:
        if not isinstance(part, dict):
            continue
        if "text" in part and not isinstance(part["text"], str):
            raise invalid("Request param text must be string")
        named = [key for key in _URLS if key in part]
        for key in named:
            if part[key] is None:
                raise invalid(f"Request param {key} null")
        media += bool(named)
        if media > _MOST:
            raise invalid(f"The number of multimodal url should be no more than {_MOST}")


def has_media(parts: list[Any]) -> bool:
    """Whether a part names a medium."""
    return any(isinstance(part, dict) and any(key in part for key in _URLS) for part in parts)


def check_download(text: str) -> bool:
    """What a tokenizer process does first: see whether the text is JSON that names media, and fetch them.

    Returns:
        Whether the prompt counts as one with media; Ling's tokenizer makes no tokens of such a prompt.

    Raises:
        ApiError: they cannot be had.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, list) or not _is_media_prompt(value):
        return False
    if "content" not in value[0]:
        _fetch(value)
        return True
    for message in value:
        if isinstance(message.get("content"), list):
            _fetch(message["content"])
    return True


def _is_media_prompt(items: list[Any]) -> bool:
    for item in items:
        if not isinstance(item, dict):
            words = f"The input type of '{type(item)}' is invalid, it should be a List[Dict]."
            raise invalid(f"{_FAILED}ValueError: {words}")
        if "role" not in item or isinstance(item.get("content"), list):
            return True
    return False


def _fetch(parts: list[Any]) -> None:
    for part in parts:
        error = _fetch_error(part)
        if error is not None:
            raise invalid(masked(f"{_FAILED}{error}").partition("\n")[0])


def _fetch_error(part: Any) -> str | None:
    if not isinstance(part, dict):
        return f"TypeError: {_not_subscriptable(part)}"
    if "type" not in part:
        return "KeyError: 'type'"
    kind = part["type"]
    if kind == "text":
        return None
    if kind not in _ENDINGS:
        return f"ValueError: Input type {kind} does not match the mm type."
    if kind not in part:
        return f"KeyError: '{kind}'"
    value = part[kind]
    if not isinstance(value, (str, dict)):
        return f"ValueError: Input of {kind} should be str or dict."
    url = value if isinstance(value, str) else "" if kind == "input_audio" else value.get("url")
    if not isinstance(url, str):
        return f"AttributeError: '{type(url).__name__}' object has no attribute 'startswith'"
    return _url_error(url, kind)


def _url_error(url: str, kind: str) -> str | None:
    if url.startswith(("http://", "https://")):
        if len(url) > _LONGEST_URL:
            words = f"should be less than {_LONGEST_URL}, but got {len(url)}."
            return f"ValueError: The length of media_url {words}"
        return "RuntimeError: Download error"
    if PurePosixPath(url).suffix.lower() in _ENDINGS[kind]:
        if not url.removeprefix("file://").startswith(_FOLDER):
            place = f"please ensure your multimedia files are placed under {_FOLDER}"
            return f"ValueError: Your input local file path is not allowed!{place}"
        return "FileNotFoundError: Can not find the input media file."
    if url.startswith("data:"):
        if _DATA.search(url):
            return None
        return "ValueError: Expected format: data:<mime_type>/<subtype>;base64,<base64_data>"
    if kind == "image_url":
        try:
            base64.b64decode(url, validate=True)
        except ValueError:
            return "ValueError: Invalid base64 url"
        return None
    return f"ValueError: Input type {kind} does not match the mm type."


def _not_subscriptable(part: Any) -> str:
    if isinstance(part, str):
        return "string indices must be integers, not 'str'"
    if isinstance(part, list):
        return "list indices must be integers or slices, not str"
    return f"'{type(part).__name__}' object is not subscriptable"
