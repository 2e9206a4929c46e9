"""Which tokens an answer is made of: told, counted and shown, or not known."""

from dataclasses import replace

import pytest

from lingctl.node.prove.answers import Encoding
from lingctl.serving.http.api import CHAT, COMPLETIONS, INFER
from lingctl.serving.proof.asking import Answered, Likely, TokenNumbers, read_answered
from lingctl.serving.proof.known_tokens import KnownText, UnknownText, known_text, shown_texts
from lingctl.serving.proof.questions import ProofQuestion
from lingctl.serving.trouble import ExchangeTrouble

QUESTION = ProofQuestion("english", "Hi", 8)
PROMPT = Encoding((1, 2, 3), ("a", "b", "c"))
ANSWER = Encoding((10, 11), (" x", " y"))
PLAIN = Answered(QUESTION, " x y", "length", 3, 2)
END = (99,)


def numbers(*texts):
    return tuple(TokenNumbers(Likely(text, None, -0.5), (Likely(" z", None, -1.0),)) for text in texts)


def known(answered, prompt=PROMPT, answer=ANSWER, why_not=""):
    return known_text(answered, prompt, answer, {" z": 7}, END, why_not)


def test_what_the_service_tells_counts_first():
    text = known(replace(PLAIN, prompt_tokens=(4, 5), answer_tokens=(20, 21)))
    assert isinstance(text, KnownText)
    assert (text.prompt, text.answer, text.own_prompt) == ((4, 5), (20, 21), (1, 2, 3))


def test_ids_in_the_place_of_texts_count_too():
    named = tuple(TokenNumbers(Likely(f"token_id:{one}", one, -0.1), ()) for one in (20, 21))
    text = known(replace(PLAIN, numbers=named))
    assert isinstance(text, KnownText)
    assert text.answer == (20, 21)
    assert text.numbers == ({20: -0.1}, {21: -0.1})


def test_the_tokenizer_counts_where_counts_and_shown_texts_agree():
    text = known(replace(PLAIN, numbers=numbers(" x", "")))
    assert isinstance(text, KnownText)
    assert text.answer == (10, 11)
    assert text.numbers == ({10: -0.5, 7: -1.0}, {11: -0.5, 7: -1.0})


def test_the_end_token_is_counted_and_has_no_text():
    text = known(replace(PLAIN, finish="stop", answer_count=3))
    assert isinstance(text, KnownText)
    assert text.answer == (10, 11, 99)


def test_an_end_token_that_is_not_shown_is_added_where_it_is_known_which():
    ended = replace(PLAIN, finish="stop")
    for end, answer in (((99,), (10, 11, 99)), ((98, 99), (10, 11)), ((11,), (10, 11)), ((), (10, 11))):
        text = known_text(ended, PROMPT, ANSWER, {}, end, "")
        assert isinstance(text, KnownText)
        assert text.answer == answer


UNKNOWN = {
    "another count of the prompt": (replace(PLAIN, prompt_count=4), "4 tokens of the prompt"),
    "another count of the answer": (replace(PLAIN, answer_count=3), "3 tokens of the answer"),
    "an end that is none": (replace(PLAIN, answer_count=3, finish="length"), "3 tokens"),
    "another token shown": (replace(PLAIN, numbers=numbers(" x", " q")), "' q'"),
    "no count at all": (replace(PLAIN, answer_count=None), "nor how many"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_tokens_that_cannot_be_known_are_unknown(case):
    answered, word = UNKNOWN[case]
    text = known(answered)
    assert isinstance(text, UnknownText)
    assert word in text.why


def test_without_a_tokenizer_the_service_has_to_tell():
    text = known(PLAIN, None, None, why_not="the library is missing")
    assert isinstance(text, UnknownText)
    assert "the library is missing" in text.why
    assert "tokenizers" in text.remedy
    told = known(replace(PLAIN, prompt_tokens=(4,), answer_tokens=(20, 21)), None, None)
    assert isinstance(told, KnownText)


def test_numbers_of_another_count_are_left_out():
    text = known(replace(PLAIN, answer_tokens=(20, 21, 22), numbers=numbers(" x")))
    assert isinstance(text, KnownText)
    assert text.numbers == ()


def test_only_texts_without_ids_are_looked_up():
    assert shown_texts([replace(PLAIN, numbers=numbers(" x", " y"))]) == [" z"]


def test_an_answer_of_vllm():
    told = read_answered(
        QUESTION,
        CHAT,
        {
            "prompt_token_ids": [1, 2],
            "choices": [
                {
                    "message": {"content": "Hi"},
                    "finish_reason": "stop",
                    "token_ids": [5, 6],
                    "logprobs": {
                        "content": [
                            {"token": "token_id:5", "logprob": -0.1, "top_logprobs": [
                                {"token": "token_id:5", "logprob": -0.1},
                                {"token": "token_id:8", "logprob": -3},
                            ]},
                            {"token": "token_id:6", "logprob": 0.0, "top_logprobs": []},
                        ]
                    },
                }
            ],
            "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4},
        },
    )  # fmt: skip
    assert isinstance(told, Answered)
    assert (told.prompt_tokens, told.answer_tokens, told.answer_count) == ((1, 2), (5, 6), 2)
    assert told.numbers[0].others[1] == Likely("token_id:8", 8, -3.0)


def test_an_answer_of_mindie_to_a_completion():
    told = read_answered(
        QUESTION,
        COMPLETIONS,
        {
            "choices": [
                {
                    "text": " x",
                    "finish_reason": "length",
                    "logprobs": {
                        "tokens": [" x"],
                        "token_logprobs": [-0.25],
                        "top_logprobs": [{" x": -0.25, " y": -2.0}],
                        "text_offset": [0],
                    },
                }
            ]
        },
    )
    assert isinstance(told, Answered)
    assert told.numbers == (
        TokenNumbers(Likely(" x", None, -0.25), (Likely(" x", None, -0.25), Likely(" y", None, -2.0))),
    )


ODD = [
    {"tokens": ["x"], "token_logprobs": [None]},
    {"tokens": ["x"], "token_logprobs": [float("nan")]},
    {"tokens": ["x", "y"], "token_logprobs": [-1.0]},
    {"content": [{"token": 5, "logprob": -1.0}]},
    {"content": ["x"]},
    [],
    "none",
]


@pytest.mark.parametrize("logprobs", ODD, ids=range(len(ODD)))
def test_numbers_of_another_form_are_none(logprobs):
    told = read_answered(QUESTION, COMPLETIONS, {"choices": [{"text": "x", "logprobs": logprobs}]})
    assert isinstance(told, Answered)
    assert told.numbers == ()


def test_infer_tells_ids_and_no_likelihoods():
    details = {"finish_reason": "length", "generated_tokens": 2, "generated_token_ids": [5, 6]}
    told = read_answered(QUESTION, INFER, {"generated_text": "x", "details": details})
    assert isinstance(told, Answered)
    assert (told.answer_tokens, told.answer_count, told.numbers) == ((5, 6), 2, ())


@pytest.mark.parametrize("data", [{}, {"choices": []}, {"choices": ["x"]}])
def test_what_is_no_answer_is_trouble(data):
    assert isinstance(read_answered(QUESTION, COMPLETIONS, data), ExchangeTrouble)
