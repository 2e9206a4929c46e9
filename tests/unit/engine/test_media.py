"""Prompts that are lists, or texts that look like one."""

from __future__ import annotations

import json

import pytest

from lingctl.sandbox.engine.api import media
from lingctl.sandbox.engine.api.masking import masked_path
from lingctl.sandbox.engine.requests.errors import ApiError

FAILED = "[InferTokenizer::DownloadUrl] Download fail: "


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (["a"], "ValueError: The input type of '<class 'str'>' is invalid, it should be a List[Dict]."),
        ([5], "ValueError: The input type of '<class 'int'>' is invalid, it should be a List[Dict]."),
        ([{}], "KeyError: 'type'"),
        ([{"type": "zzz"}], "ValueError: Input type zzz does not match the mm type."),
        ([{"type": "image_url", "image_url": "http://x/y.jpg"}], "RuntimeError: Download error"),
        ([{"type": "image_url", "image_url": {"url": "https://x"}}], "RuntimeError: Download error"),
        (
            [{"type": "image_url", "image_url": "/tmp/a.jpg"}],
            "ValueError: Your input local file path is not allowed!please ensure your multimedia files are "
            "placed under ***/multimodal_inputs/",
        ),
    ],
)
def test_media_cannot_be_had(prompt, words):
    with pytest.raises(ApiError) as raised:
        media.check_download(json.dumps(prompt))
    assert (raised.value.status, raised.value.text) == (422, FAILED + words)


@pytest.mark.parametrize("text", ["", "Hi", "5", "{}", "[]", "[", '[{"role": "user", "content": "x"}]'])
def test_plain_texts_have_none(text):
    assert media.check_download(text) is False


def test_the_parts_of_a_list_are_checked_before():
    for parts, words in (
        ([{"text": 5}], "Request param text must be string"),
        ([{"image_url": None}], "Request param image_url null"),
        ([{"video_url": "x"}] * 21, "The number of multimodal url should be no more than 20"),
    ):
        with pytest.raises(ApiError) as raised:
            media.check_parts(parts)
        assert raised.value.text == words


def test_paths_are_told_without_their_first_two_folders():
    assert masked_path("/data/models/Ling_plus") == "***/Ling_plus"
    assert masked_path("/a/b/c/d/") == "***/c/d"
    assert masked_path("/Ling_plus") == "***/Ling_plus"
