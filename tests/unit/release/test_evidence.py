"""What is taken out of the evidence, and what stays."""

from __future__ import annotations

import pytest

from lingctl.release.evidence.gathered import without_secrets
from lingctl.release.evidence.redaction import REMOVED


@pytest.mark.parametrize(
    "text",
    [
        "export HF_TOKEN=hunter2secret",
        "MODELSCOPE_API_TOKEN: 'hunter2secret'",
        '"DB_PASSWORD": "hunter2secret",',
        '"Env": ["PATH=/bin", "AWS_SECRET_ACCESS_KEY=hunter2secret", "A=b"]',
        "curl -H 'Authorization: Bearer hunter2secret' http://x",
        "https_proxy=http://user:hunter2secret@proxy:3128",
        "mysql --password=hunter2secret -u root",
        "--token hunter2secret",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2secret\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2secret cut short",
    ],
)
def test_secrets_are_removed(text: str):
    cleaned = without_secrets(text.encode()).decode()
    assert "hunter2secret" not in cleaned
    assert REMOVED in cleaned


@pytest.mark.parametrize(
    "text", ["DB_PASSWORD=20261125", '"api_key": "20261125"', "http://user:20261125@proxy:3128"]
)
def test_a_secret_may_be_a_number(text: str):
    assert "20261125" not in without_secrets(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        '"maxInputTokenLen" : 2048, "tokenTimeout": 600, "eos_token_id": 126081',
        "max_new_tokens=16 e2eTimeout: 600",
        "Warmup failed. Required block number: 20. Left block number: 3.",
        "ssh root@10.0.0.1:22 and http://10.0.0.1:1025/v1/models",
        "PATH=/usr/local/bin",
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert without_secrets(text.encode()).decode() == text


def test_json_stays_json():
    import json

    cleaned = without_secrets(json.dumps({"Env": ["X_TOKEN=abc", "A=b"], "api_key": "k3y"}).encode())
    assert json.loads(cleaned) == {"Env": [f"X_TOKEN={REMOVED}", "A=b"], "api_key": REMOVED}


def test_bytes_that_are_no_text_pass():
    assert without_secrets(b"\xff\xfe\x00binary") == b"\xff\xfe\x00binary"
