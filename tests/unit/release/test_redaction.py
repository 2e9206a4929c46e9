"""Which secrets are known, what is no secret, and that a long line takes no longer than its length says."""

from __future__ import annotations

import json
import random
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingctl.release.evidence.redaction import REMOVED, redacted

S3CRET = "hunter2Secret"


def _of(alphabet: str, count: int) -> str:
    return "".join(random.Random(count).choices(alphabet, k=count))


ALNUM, HEX, WORDS = string.ascii_letters + string.digits, "0123456789abcdef", string.ascii_letters + "_-"
# Made after what providers document of their tokens; none was ever valid.
TOKENS = {
    "Hugging Face": "hf_" + _of(string.ascii_letters, 34),
    "Hugging Face, organisation": "api_org_" + _of(string.ascii_letters, 34),
    "ModelScope": f"ms-{_of(HEX, 8)}-{_of(HEX, 4)}-4{_of(HEX, 3)}-a{_of(HEX, 3)}-{_of(HEX, 12)}",
    "OpenAI": "sk-" + _of(ALNUM, 20) + "T3BlbkFJ" + _of(ALNUM, 20),
    "OpenAI, project": "sk-proj-" + _of(ALNUM, 74) + "T3BlbkFJ" + _of(ALNUM, 74),
    "Anthropic": "sk-ant-api03-" + _of(ALNUM, 93) + "AA",
    "DeepSeek": "sk-" + _of(HEX, 32),
    "Groq": "gsk_" + _of(ALNUM, 52),
    "NVIDIA": "nvapi-" + _of(ALNUM, 64),
    "xAI": "xai-" + _of(ALNUM, 80),
    "Perplexity": "pplx-" + _of(ALNUM, 48),
    "Replicate": "r8_" + _of(ALNUM, 37),
    "GitHub": "ghp_" + _of(ALNUM, 36),
    "GitHub, app": "ghs_" + _of(ALNUM, 36),
    "GitHub, fine-grained": "github_pat_" + _of(ALNUM, 22) + "_" + _of(ALNUM, 59),
    "GitLab": "glpat-" + _of(ALNUM, 20),
    "GitLab, runner": "glrt-" + _of(ALNUM, 20),
    "GitLab, CI job": "glcbt-64_" + _of(ALNUM, 20),
    "AWS, key id": "AKIA" + _of(string.ascii_uppercase + "234567", 16),
    "AWS, session": "ASIA" + _of(string.ascii_uppercase + "234567", 16),
    "Alibaba": "LTAI" + _of(ALNUM, 20),
    "Tencent": "AKID" + _of(ALNUM, 32),
    "Google": "AIza" + _of(ALNUM, 35),
    "Google, OAuth": "GOCSPX-" + _of(ALNUM, 28),
    "Slack, bot": f"xoxb-{_of('123456789', 12)}-{_of('123456789', 12)}-{_of(ALNUM, 24)}",
    "Slack, app": f"xapp-1-A{_of('ABC123', 10)}-{_of('123456789', 13)}-{_of(HEX, 64)}",
    "Stripe": "sk_live_" + _of(ALNUM, 24),
    "npm": "npm_" + _of(ALNUM, 36),
    "PyPI": "pypi-AgEIcHlwaS5vcmc" + _of(ALNUM, 60),
    "Docker": "dckr_pat_" + _of(ALNUM, 27),
    "Databricks": "dapi" + _of(HEX, 32),
    "DigitalOcean": "dop_v1_" + _of(HEX, 64),
    "Vault": "hvs." + _of(ALNUM, 95),
    "Grafana": "glsa_" + _of(ALNUM, 32) + "_" + _of(HEX, 8),
    "SendGrid": "SG." + _of(ALNUM, 22) + "." + _of(ALNUM, 43),
    "Shopify": "shpat_" + _of(HEX, 32),
    "age": "AGE-SECRET-KEY-1" + _of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "OpenShift": "sha256~" + _of(ALNUM, 43),
    "a JSON web token": f"eyJ{_of(ALNUM, 33)}.eyJ{_of(ALNUM, 60)}.{_of(ALNUM, 43)}",
}
AROUND = (
    "{} alone",
    "in a 'sentence {}', quoted",
    '{{"x": "{}"}}',
    "http://h/?x={}&y=1",
    "A={}",
    "[{}]",
    '"log": "first\\n{}\\nthird"',
    '"log": "\\u4e2d{}"',
    "x=%20{}",
    "\x1b[31m{}\x1b[0m",
    "{}\n",
)


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_is_known_by_its_form_wherever_it_stands(name: str) -> None:
    for around in AROUND:
        left = redacted(around.format(TOKENS[name]))
        assert TOKENS[name] not in left
        assert TOKENS[name][-8:] not in left
        assert REMOVED in left


PLACES = (
    "x-api-key: {}",
    "X-Auth-Token: {}",
    "api_key={}",
    "apikey : {}",
    "export HF_TOKEN={}",
    "HF_TOKEN_2={}",
    "MINDIE_TOKEN={}",
    "MINDIE_PWD={}",
    "tlsPkPwd: {}",
    "passwd: {}",
    "DB_PASSPHRASE='{}'",
    '"client_secret": "{}"',
    '"accessKeySecret":"{}"',
    "AccountKey={};EndpointSuffix=core",
    "aws_secret_access_key = {}",
    "token : first {}",
    "Cookie: a=b; session={}",
    "Set-Cookie: id={}; Path=/",
    "curl -H 'Cookie: x=1; sid={}' http://h",
    "Authorization: {}",
    "Authorization: Basic {}",
    "Proxy-Authorization: Basic {}",
    "authorization: AWS4-HMAC-SHA256 {}",
    '{{"Authorization": "Bearer {}"}}',
    '{{"cmd": "{{\\"api_key\\": \\"{}\\"}}"}}',
    '"auths": {{"r": {{"auth": "{}"}}}}',
    "https://{}@git.example/x",
    "https://me:{}@git.example/x",
    "http://u:pa:{}@proxy:3128",
    "mysql://root:{}@db/x",
    "git clone https://oauth2:{}@gitlab.example/a.git",
    "curl -u admin:{} http://h",
    'curl --user "admin:{}" http://h',
    "curl --proxy-user=a:{} http://h",
    "sshpass -p {} ssh h",
    "sshpass -p '{}' ssh h",
    "sshpass -p''{} ssh h",
    "sshpass -p 'a b'{} ssh h",
    "curl -u admin:'{}' http://h",
    "mysql -u root -p'{}' db",
    "docker login -u me -p {} registry",
    "podman login registry --username me --password {}",
    "mysqldump -u root -p{} db",
    "openssl rsa -passin pass:{}",
    "--token {}",
    "--api-key={}",
    "--registry-password '{}'",
    "machine h login me password {}",
    "root:$6$salt${}:19000:0",
    "https://qyapi.example/cgi-bin/webhook/send?key={}",
    "https://x.blob.example/c?sv=1&sig={}",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{}\n-----END PGP PRIVATE KEY BLOCK-----",
    "-----BEGIN EC PRIVATE KEY-----\n{} and cut short",
    "PuTTY-User-Key-File-2: x\nPrivate-Lines: 1\n{}\nPrivate-MAC: 1",
)


@pytest.mark.parametrize("place", PLACES)
def test_what_stands_in_a_secret_s_place_is_removed(place: str) -> None:
    left = redacted("before " + place.format(S3CRET) + "\nafter")
    assert S3CRET not in left
    assert REMOVED in left
    assert left.startswith("before ")
    assert left.endswith("after") or "cut short" in place


@pytest.mark.parametrize(
    "text",
    [
        '"maxInputTokenLen" : 2048, "tokenTimeout": 600, "eos_token_id": 126081, "bot_token_id": null',
        "max_new_tokens=16 e2eTimeout: 600 MAX_TOKENS=5 num_experts_per_tok=6 experts_per_token: 6",
        "tokens: 17, prompt_tokens: 5, completion_tokens=12 token_number=3 tokenizer: /root/models/x",
        "docker run -u 1000:1000 -p 1025:1025 -v /a:/b image; mkdir -p /var/lib/x; cp -p a b",
        "PWD=/root OLDPWD=/tmp PATH=/usr/local/bin SSL_CERT_FILE=/etc/ssl/ca.pem",
        '"tlsPkPwd": "security/pass/key_pwd.txt", "token_file": "/run/secrets/token"',
        "ssh root@10.0.0.1:22 and ssh://root@node1/ and git@github.example:a/b and http://10.0.0.1:1025/v1",
        "Warmup failed. Required block number: 20. author: someone authority=x authentication failed",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sk-learn-is-a-library-of-python-people sk-ssh-ed25519@openssh.com hf_hub_download ms-swift-3.0.1",
        "use_token=true password: none token == 5 secret://x EI0006 [ERROR] 507035",
        "key-exchange: key=value keys: a b; primary_key 5",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_json_stays_json() -> None:
    nested = {
        "Env": ["X_TOKEN=abc", "A=b"],
        "api_key": "k3y",
        "in": json.dumps({"password": "p w", "n": [1]}),
    }
    read = json.loads(redacted(json.dumps(nested)))
    assert read["Env"] == [f"X_TOKEN={REMOVED}", "A=b"]
    assert read["api_key"] == REMOVED
    assert json.loads(read["in"]) == {"password": REMOVED, "n": [1]}


@given(st.text(max_size=300))
def test_nothing_makes_it_fall_over_and_twice_is_as_once(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once


LONG = (
    "0123456789abcdef",
    "a.",
    "好.",
    "token",
    "token=",
    "token='",
    "password ",
    "--token ",
    "a://b",
    "-u a:",
)
LONG += (
    "login ",
    "login -p",
    "mysql ",
    "eyJa.",
    "sk-a",
    "bearer ",
    "-----BEGIN ",
    "cookie: ",
    "?key=",
    'token\\"',
)
LONG += (
    "ghp_",
    "auth-",
    "a://",
    "a" * 20 + "://" + "b" * 2000,
    " ",
    "secret.",
    "x" * 80 + "token",
    "Private-Lines: 1\n",
    "a:$1$",
    "[removed]",
    "AKIA",
)


def test_a_login_of_any_length_in_an_address_is_taken_out() -> None:
    left = redacted("git clone https://oauth2:" + "[aB3x" * 400 + "@git.example/x")
    assert "aB3x" not in left
    assert "git.example/x" in left


@pytest.mark.parametrize("piece", LONG)
def test_a_line_of_400_kb_takes_half_a_second_and_no_hour(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    begun = time.process_time()
    redacted(text)
    # A tenth of that is measured; a quadratic reader takes hundreds of times as long.
    assert time.process_time() - begun < 4


NAMES = (
    "password",
    "passphrase",
    "db_pwd",
    "token",
    "secret",
    "credential",
    "auth",
    "api-key",
    "private_key",
)


@pytest.mark.parametrize("word", NAMES)
def test_a_name_tells_of_a_secret_in_any_letters(word: str):
    for spelt in (word, word.upper(), word.capitalize(), word.swapcase(), f"my_{word}"):
        assert redacted(f"a {spelt}=abcdefgh b") == f"a {spelt}={REMOVED} b"
