"""Secrets taken out of a text, in time that grows as the text does. Pure.

Three kinds are known: the value of what is secret by its name (``HF_TOKEN=``, ``x-api-key:``, ``--token``),
what stands where a login stands (addresses, ``curl -u``, cookies, key files), and tokens that are known by
their own form wherever they stand. The forms are those that providers document, as the rule sets of gitleaks,
trufflehog and detect-secrets collect them; see ``_FORMS``.

No pattern looks back over any length for a beginning: first a word is found, and then it is looked around it,
a bounded way.
"""

from __future__ import annotations

import re
from collections.abc import Callable

REMOVED = "[removed]"

# ---- names

# Its first letter is one of a few: most of a text is passed over, far quicker than by a choice of words.
_WORD = re.compile(
    r"[aAcCpPsStT](?:(?<=[aA])(?i:uth|(?:pi|ccess|ccount)[_.-]?key)|(?<=[cC])(?i:redential|ookie)"
    r"|(?<=[pP])(?i:assw|assphrase|wd|rivate[_.-]?key)|(?<=[sS])(?i:ecret)|(?<=[tT])(?i:oken))"
)
_LONGEST_NAME = 80
_NAME_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_NAME_REST = re.compile(r"[\w.-]{0,80}")
# Between a name and its value: ``=``, ``:`` (perhaps in a JSON that is itself in a string), not ``==`` or ``://``.
_BETWEEN = re.compile(r"\\?[\"']?([ \t]{0,40})[=:](?![=/])[ \t]{0,40}")
_AFTER_OPTION = re.compile(r"[= ][ \t]{0,8}(?!-)")
_VALUE = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|\\\"[^\"\n]*\\\"|[^\s,;\"'\\{}\[\]][^\s,;\"'\\]*")
_MORE_WORDS = re.compile(r"[^,;\"'\n]*")
_REST_OF_HEADER = re.compile(r"[^\"'\n]*")
_SCHEME = re.compile(r"(?i)(?:basic|bearer|digest|token|negotiate|aws4-hmac-sha256)[ \t]{1,8}")
# Names that say of a value how many or which, not what is secret: it is needed to understand a failure.
_FIRST_WORDS = (
    *("max", "min", "num", "pad", "eos", "bos", "unk", "sep", "cls", "mask", "total", "e2e", "per", "first"),
    *("next", "input", "output", "prefill"),
)
_LOWER = "|".join([*_FIRST_WORDS, *(word.capitalize() for word in _FIRST_WORDS)])
_UPPER = "|".join(word.upper() for word in _FIRST_WORDS)
# ``max_token``, ``maxInputTokenLen``, ``MAX_TOKENS``; not ``MINDIE_TOKEN``.
_COUNTS = re.compile(rf"^(?:(?:{_LOWER})(?=[_.A-Z0-9-]|token)|(?:{_UPPER})(?=[_.-]|TOKEN))")
_NOTHING = frozenset({REMOVED, "none", "null", "nil", "true", "false", "yes", "no", "on", "off"})
_PLACES = re.compile(r"(?i)(?:file|path|dir|folder)s?$")
_IS_SECRET = re.compile(
    r"passw(?:or)?d|passphrase|secret|credential|apikey|accesskey|privatekey|accountkey|cookie"
    r"|token$|(?:access|api|auth|refresh|bearer)tokens$|pwd$|auth(?:orization)?$|authheader|tokenvalue$"
)

# ---- tokens known by their form

_ALNUM, _WORDS, _DASHED, _DOTTED = "[A-Za-z0-9]", r"\w", r"[\w-]", r"[\w.=+/~-]"
# Beginning, what follows it, and how much of that at least: a little less than documented.
_FORMS: tuple[tuple[tuple[str, ...], str, int], ...] = (
    # Hugging Face (34 letters), Replicate, Groq
    (("hf_", "api_org_", "r8_", "gsk_"), _ALNUM, 20),
    # GitHub (36), npm (36), PostHog, Prefect
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "npm_", "pnu_", "phx_"), _ALNUM, 30),
    (
        ("github_pat_", "dckr_pat_", "dckr_oat_", "rubygems_", "lin_api_", "rdme_", "glsa_", "glc_"),
        _WORDS,
        20,
    ),
    # GitLab
    (("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glffct-", "glimt-", "glagent-"), _DOTTED, 20),
    (("gloas-", "glsoat-", "GR1348941"), _DASHED, 20),
    # NVIDIA, xAI, Perplexity, Tavily, Tailscale, Pulumi, Postman, Google
    (("nvapi-", "xai-", "pplx-", "tvly-", "tskey-", "pul-", "PMAK-", "GOCSPX-", "AIza"), _DASHED, 24),
    # Stripe, Shopify, DigitalOcean, Databricks, PlanetScale, Shippo
    (("sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"), _ALNUM, 10),
    (("shpat_", "shpca_", "shppa_", "shpss_", "dapi", "shippo_live_", "shippo_test_"), "[A-Fa-f0-9]", 32),
    (("dop_v1_", "doo_v1_", "dor_v1_", "sntryu_", "xkeysib-"), "[a-f0-9]", 32),
    (("pscale_tkn_", "pscale_pw_", "pscale_oauth_", "sntrys_", "ntn_", "ops_eyJ"), _DOTTED, 32),
    # Slack
    (("xoxb-", "xoxa-", "xoxp-", "xoxr-", "xoxs-", "xoxe-", "xoxe.", "xoxo-", "xapp-"), _DOTTED, 10),
    # Vault, Terraform, Google's OAuth, SendGrid, PyPI, age, OpenShift, Fly, Heroku
    (("hvs.", "hvb.", "hvr.", "ya29.", "SG.", "pypi-AgEIcHlwaS5vcmc", "sha256~"), _DOTTED, 24),
    (("AGE-SECRET-KEY-1", "fm2_", "HRKU-AA"), _DOTTED, 40),
    # Amazon, Alibaba, Tencent, Volcengine, Artifactory
    (("AKIA", "ASIA", "ABIA", "ACCA"), "[A-Z0-9]", 16),
    (("ABSK", "LTAI", "AKID", "AKLT", "AKCp"), _ALNUM, 16),
)
# OpenAI, Anthropic, DeepSeek, DashScope and others; with a digit or a capital, for words are written so too.
_SK = r"sk-(?!ssh-|ecdsa-)(?=[\w-]{0,40}[A-Z0-9])[\w-]{16,}"
# ModelScope
_MS = r"ms-[0-9a-f]{8}-[0-9a-f-]{3,40}"
# No token is shorter, or has other characters.
_LONG = re.compile(r"[A-Za-z0-9_.=+/~-]{15,}")
_JWT = r"ey[A-Za-z0-9_-]{16,}\.ey[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_=-]*)?"


# What an escape ends with is no letter before a token: of JSON or a string, of an address, of colour.
_AFTER_ESCAPE = (
    r"(?:(?<=\\[nrtbfv0])|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2})|(?<=[0-9\[]m))"
)


def _form(starts: tuple[str, ...], follow: str, least: int) -> tuple[tuple[str, ...], re.Pattern[str]]:
    begin = "|".join(map(re.escape, starts))
    return starts, re.compile(rf"(?:(?<![A-Za-z0-9_])|{_AFTER_ESCAPE})(?:{begin}){follow}{{{least},}}")


_TOKENS = (
    *(_form(*form) for form in _FORMS),
    (("sk-",), re.compile(rf"(?:(?<![\w-])|{_AFTER_ESCAPE}){_SK}")),
    (("ms-",), re.compile(rf"(?:(?<![\w-])|{_AFTER_ESCAPE}){_MS}")),
    ((".ey",), re.compile(rf"(?:(?<![\w-])|{_AFTER_ESCAPE}){_JWT}")),
)

# ---- places of logins

_KEY = "-----BEGIN"
_QUOTED = r"\"[^\"\n]*\"|'[^'\n]*'"
# A shell puts together what stands side by side: ``'a b'c``.
_SHELL_WORD = rf"(?:{_QUOTED}|\S)+"
_Rule = tuple[str, re.Pattern[str], Callable[[re.Match[str]], str]]


def _second(found: re.Match[str]) -> str:
    return f"{found[1]}{REMOVED}"


def _of_address(found: re.Match[str]) -> str:
    user, colon, _ = found[2].partition(":")
    if colon:
        return f"{found[1]}{user}:{REMOVED}"
    # One that logs in to a shell by a name has no secret in its address.
    return found[0] if found[1].lower().endswith(("ssh://", "sftp://", "git://")) else f"{found[1]}{REMOVED}"


def _of_curl(found: re.Match[str]) -> str:
    ids = found[2].isdigit() and found[3].isdigit()  # docker run -u 1000:1000
    return found[0] if ids else f"{found[1]}{found[2]}:{REMOVED}"


# What must stand in the text for a rule to be tried, the rule, and what takes its place. A rule that begins
# with its word, and looks for its edge then, is tried at that word alone.
_RULES: tuple[_Rule, ...] = (
    ("://", re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20}://)([^\s/@\"'<>]+)(?=@)"), _of_address),
    (
        "-",
        re.compile(
            r"((?<![\w-])(?:-u|-U|--user|--proxy-user)[= ]?[ \t]{0,4}[\"']?)([^\s:\"']{1,200}):"
            rf"((?:{_QUOTED}|[^\s\"'])+)"
        ),
        _of_curl,
    ),
    ("sshpass", re.compile(rf"(sshpass(?<=\bsshpass)[ \t]+-p[ \t]{{0,4}})({_SHELL_WORD})"), _second),
    (
        "login",
        re.compile(
            r"(login(?<=\blogin)\b[^\n|;&]{0,300}?[ \t](?:-p|--password)[= \t]{1,4})"
            rf"((?!-){_SHELL_WORD})"
        ),
        _second,
    ),
    ("login", re.compile(r"(login(?<=\blogin)[ \t]+\S{1,200}[ \t]+password[ \t]+)(\S+)"), _second),
    (
        "mysql",
        re.compile(r"(mysql(?<=\bmysql)\w{0,20}\b[^\n|;&]{0,300}?[ \t]-p)" rf"((?!-){_SHELL_WORD})"),
        _second,
    ),
    ("pass:", re.compile(r"((?<![\w-])pass:)(\S+)"), _second),
    ("earer", re.compile(r"(?i)(\bbearer[ \t]{1,8})([A-Za-z0-9._~+/=-]{8,})"), _second),
    ("=", re.compile(r"([?&](?:key|sig|code|sign|signature|X-Amz-Signature)=)([^&\s\"']{8,})"), _second),
    (":$", re.compile(r"(:)(\$[0-9a-z]{1,3}\$[^\s:\"']{10,})"), _second),
    *(
        (word, re.compile(rf"({word}[\"']?\s{{0,4}}[:=：]\s{{0,4}}[\"']?)([^\s\"',;，；]+)"), _second)
        for word in ("密码", "口令", "密钥")
    ),
    ("hooks.slack.com", re.compile(r"(hooks\.slack\.com/\w{1,20}/)([\w/+]{20,})"), _second),
    (
        "Private-Lines",
        re.compile(r"(Private-Lines: [0-9]{1,4}\s+)((?:[A-Za-z0-9+/=]{1,100}\r?\n?)+)"),
        _second,
    ),
    (
        _KEY,
        re.compile(
            r"(-----BEGIN[ A-Z0-9_-]{0,40}PRIVATE KEY(?: BLOCK)?-----)"
            r"(.*?)(?=-----END[ A-Z0-9_-]{0,40}PRIVATE KEY|\Z)",
            re.DOTALL,
        ),
        _second,
    ),
)


def redacted(text: str) -> str:
    """The text without the values of secrets; what counts the tokens of a language model stays."""
    for sign, pattern, instead in _RULES:
        if sign in text:
            text = pattern.sub(instead, text)
    long_words = "\n".join(set(_LONG.findall(text)))
    for starts, form in _TOKENS:
        if any(start in long_words for start in starts):
            text = form.sub(REMOVED, text)
    return _without_values(text)


def _without_values(text: str) -> str:
    kept: list[str] = []
    done = looked_at = 0
    for word in _WORD.finditer(text):
        if word.start() < looked_at:
            continue
        begin, looked_at = _name_around(text, word, done)
        found = _value_of(text, begin, looked_at)
        if found:
            kept += (text[done : found[0]], REMOVED)
            done = looked_at = found[1]
    return "".join((*kept, text[done:]))


def _name_around(text: str, word: re.Match[str], least: int) -> tuple[int, int]:
    """The name that a word is a part of."""
    begin, first = word.start(), max(least, word.start() - _LONGEST_NAME)
    while begin > first and text[begin - 1] in _NAME_SIGNS:
        begin -= 1
    rest = _NAME_REST.match(text, word.end())
    return begin, rest.end() if rest else word.end()


def _value_of(text: str, begin: int, end: int) -> tuple[int, int] | None:
    """Where the secret is that a name has; None if it has none."""
    name = text[begin:end]
    is_header = name.lower().endswith("cookie") or name.lower().endswith("authorization")
    between = _BETWEEN.match(text, end) or (_AFTER_OPTION.match(text, end) if name.startswith("-") else None)
    if between is None or not _says_secret(name.lstrip("-")):
        return None
    place = between.end()
    scheme = _SCHEME.match(text, place)
    if scheme and "auth" in name.lower():
        place = scheme.end()
    value = _VALUE.match(text, place)
    if value is None:
        return None
    begin, end = value.span()
    said = value[0].strip("\\\"'")
    quoted = value[0][0] in "\"'\\"
    if quoted:
        marks = 2 if value[0][0] == "\\" else 1
        begin, end = begin + marks, end - marks
    is_count = said.isdigit() and "token" in name.lower()
    if not said or said.lower() in _NOTHING or is_count or _is_place(name, said):
        return None
    apart = between.re is _BETWEEN and bool(between[1])
    if not quoted and (is_header or apart):
        more = (_REST_OF_HEADER if is_header else _MORE_WORDS).match(text, end)
        end = more.end() if more else end
    return begin, end


def _says_secret(name: str) -> bool:
    plain = re.sub(r"[_.-]", "", name).lower().rstrip("0123456789")
    if _COUNTS.match(name) or plain in ("pwd", "oldpwd") or plain.endswith("pertoken"):  # the shell's folder
        return False
    return bool(_IS_SECRET.search(plain))


def _is_place(name: str, value: str) -> bool:
    """Whether a value is where a secret is kept and not the secret."""
    is_path = "/" in value and bool(re.fullmatch(r"[\w./~-]+", value))
    return is_path and bool(_PLACES.search(name) or re.search(r"\.(?:txt|pem|key|json|conf|crt)$", value))
