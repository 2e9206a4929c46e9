import json
import resource
from array import array

import pytest

from lingctl.errors import ConfigurationError, UsageError
from lingctl.serving.bench.goal import NO_GOAL, Goal, read_goal
from lingctl.serving.bench.outcome import RequestOutcome
from lingctl.serving.bench.results import BenchComparison, check_results, keep_result, last_two
from lingctl.serving.bench.tokens import count_tokens, tokenizer_at


def result(rate, **options):
    metrics = {"requests_per_second": rate, "ttft": {"p50": 5.0}, "failed": 0}
    return {"document": "bench", "model": "m", "options": {"seed": 0, **options}, "metrics": metrics}


def test_two_results_side_by_side(tmp_path):
    before, after = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for path, rate in ((before, 1.0), (before, 2.0), (after, 5.0)):
        check_results(path)
        keep_result(path, result(rate))
    comparison = BenchComparison(*last_two([before, after]))
    assert comparison.rows() == [
        ("requests/s", "2.00", "5.00", "2.500"),
        ("TTFT p50 ms", "5.00", "5.00", "1.000"),
    ]
    assert comparison.differences == []
    assert BenchComparison(*last_two([before])).rows()[0] == ("requests/s", "1.00", "2.00", "2.000")
    assert json.loads(after.read_text())["at"].endswith("+00:00")


def test_what_differs_in_the_loads_is_named():
    comparison = BenchComparison(result(1, concurrency=4), {**result(1, concurrency=8), "model": "n"})
    assert comparison.differences == ["concurrency: 4 and 8", "model: m and n"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "holds no results"), ("{}\n", ":1"), ("nonsense\n", "not JSON"), ("[" * 100_000, "not JSON")],
)
def test_other_files_are_refused_by_line(tmp_path, text, words):
    path = tmp_path / "other.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        last_two([path, path])
    assert words in f"{refused.value.where} {refused.value.what}"


def test_a_result_that_cannot_be_kept_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.jsonl"
    keep_result(path, result(1))
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            keep_result(path, result(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before


def test_one_result_cannot_be_compared(tmp_path):
    keep_result(tmp_path / "a.jsonl", result(1))
    with pytest.raises(UsageError, match="nothing to compare"):
        last_two([tmp_path / "a.jsonl"])
    with pytest.raises(UsageError, match="no such folder"):
        check_results(tmp_path / "none" / "a.jsonl")


def outcome(ttft=0.2, gap=0.01, tokens=11):
    moments = [100 + ttft + gap * number for number in range(tokens)]
    return RequestOutcome(
        0, sent_at=100, token_at=array("d", moments), answer_at=moments[0], output_tokens=tokens
    )


def test_a_goal_is_kept_by_every_limit_or_not_at_all():
    goal = read_goal(["ttft:250,tpot:20", "e2el:400"])
    assert goal == Goal(ttft=250, tpot=20, e2el=400)
    assert goal.kept_by(outcome())
    assert not goal.kept_by(outcome(ttft=0.3))
    assert not goal.kept_by(outcome(gap=0.03, tokens=3))
    assert not goal.kept_by(outcome(tokens=31))
    assert read_goal([]) == NO_GOAL


@pytest.mark.parametrize(
    "word", ["ttft", "ttft:", "ttft:fast", "itl:3", "tpot:0", "tpot:-1", "tpot:inf", "ttft:nan"]
)
def test_goals_of_another_form_are_refused(word):
    with pytest.raises(UsageError, match="--goodput"):
        read_goal([word])


def test_the_tokenizer_counts_only_what_the_service_did_not(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    told, untold = outcome(tokens=7), outcome(tokens=2)
    told.counted, untold.pieces = True, ["a b", " a", ""]
    count_tokens([told, untold], ["a", "a b b b"], tokenizer_at(tmp_path))
    assert (told.output_tokens, told.by_tokenizer) == (7, False)
    assert (untold.prompt_tokens, untold.output_tokens, untold.by_tokenizer) == (4, 3, True)


def test_no_tokenizer_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match="no tokenizer"):
        tokenizer_at(tmp_path)
    (tmp_path / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ConfigurationError, match="not a tokenizer"):
        tokenizer_at(tmp_path)
