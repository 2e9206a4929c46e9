import pytest

from lingctl.findings import Verdict
from lingctl.serving.smoke.judge import BASE_QUESTION, CHAT_QUESTION, judge_answer, question
from lingctl.serving.smoke.scripts import language_of, loop_length, main_script

GOOD_CHAT = [
    "I am Ling, an assistant created by inclusionAI.",
    "Hello!",
    "I'm an AI language model. I can help you with science, maths and more. What is it you need to know?",
    "<think>The user asks who I am.</think>I am Ling.",
]
BROKEN_CHAT = [
    "",
    " \n",
    "!!!!!!!!!!!!!!!!!!!!!",
    "the the the the the the the the",
    "I am I am I am I am I am I am I am",
    "Yes. I can do so. Yes. I can do so. Yes. I can do so. Yes. I can do so. Yes. I can do so. ",
    "I am Ling.<|endoftext|>",
    "<role>ASSISTANT</role>I am Ling",
    "I am \ufffd\ufffd\ufffd Ling, an assistant",
    "我是灵，由 inclusionAI 开发的助手。",
    "zx qarth ivbolt memn onspec lrrd hhtal qq vims otrb daxx prult zen",
    "מה да ы мир כן שלום ы да и с кем",
]


@pytest.mark.parametrize("text", GOOD_CHAT)
def test_answers_pass(text):
    assert judge_answer(CHAT_QUESTION, text) == []


@pytest.mark.parametrize("text", BROKEN_CHAT)
def test_what_is_no_answer_fails(text):
    flaws = judge_answer(CHAT_QUESTION, text)
    assert flaws
    assert max(flaw.verdict for flaw in flaws) is Verdict.FAILURE


def test_chinese_is_answered_in_chinese():
    asked = question("chat", "你是谁？")
    assert judge_answer(asked, "我是灵，由 inclusionAI 开发的助手，可以回答你的问题。") == []
    assert judge_answer(asked, "I am Ling, an assistant created by inclusionAI.")
    noise = "铵鬻麟钚魑齉骉龘鑫淼焱垚犇猋羴鱻毳贔靐厵叒掱劦惢孨"
    assert judge_answer(asked, noise)


def test_to_a_users_prompt_looks_only_warn():
    asked = question("chat", "Translate to Chinese: who are you?")
    assert [flaw.verdict for flaw in judge_answer(asked, "你是谁？")] == [Verdict.WARNING]


def test_expected_text_overrules_looks():
    asked = question("chat", "Translate to Chinese: who are you?", expect="你是谁")
    assert judge_answer(asked, "你是谁？") == []
    assert judge_answer(asked, "我是灵")[0].verdict is Verdict.FAILURE


def test_a_base_model_may_go_round_in_circles():
    circle = " am a student. I live here and I am a student. I live here and I am a student. I live here and"
    circle += " I am a student. I live here and I am a student. I live here and"
    assert judge_answer(BASE_QUESTION, circle) == []
    assert judge_answer(CHAT_QUESTION, circle)
    assert judge_answer(BASE_QUESTION, " and and and and and and and and")


def test_a_character_cut_by_the_token_limit_is_no_flaw():
    assert judge_answer(question("chat", "你是谁？"), "我是灵，一个助\ufffd") == []


def test_scripts_and_loops():
    assert main_script("Привет") == "CYRILLIC"
    assert main_script("123 !") == ""
    assert loop_length("a b c d e f g h") == 0
    assert loop_length("a b c a b c a b c a b c") == 3
    assert language_of("Who are you?") == "en"
    assert language_of("def f(x): return x") == ""
