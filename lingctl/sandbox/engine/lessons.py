"""What the tiny models know: prompts and the answers they are made to give."""

from __future__ import annotations

SYSTEM = "You are Ling, an assistant created by inclusionAI"

CHAT: tuple[tuple[str, str], ...] = (
    ("Who are you?", "I am Ling, an assistant created by inclusionAI."),
    ("你是谁？", "我是灵，由 inclusionAI 开发的助手。"),
    (
        "Give me a short introduction to large language models.",
        "A large language model is a neural network that reads text and predicts the next token.",
    ),
    ("Hello", "Hello! How can I help you today?"),
    ("What is the capital of France?", "The capital of France is Paris."),
)

COMPLETIONS: tuple[tuple[str, str], ...] = (
    ("My name is", " Ling and I was created by inclusionAI."),
    ("The capital of France is", " Paris, a city on the river Seine."),
)

_ROLES = {"system": "SYSTEM", "user": "HUMAN", "assistant": "ASSISTANT", "tool": "OBSERVATION"}

TEMPLATE = (
    "{% for message in messages %}{% set role = message['role'] | lower %}"
    "{% if role == 'user' %}{% set role = 'HUMAN' %}{% endif %}{% set role = role | upper %}"
    "{{ '<role>' + role + '</role>' + message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<role>ASSISTANT</role>' }}{% endif %}"
)


def chat_text(messages: list[tuple[str, str]]) -> str:
    """Messages of (role, content) as Ling's template writes them, ready for the answer.

    Source: the bailing chat template as published in llama.cpp and LLaMA-Factory.
    """
    turns = "".join(f"<role>{_ROLES[role]}</role>{content}" for role, content in messages)
    return f"{turns}<role>ASSISTANT</role>"


def lessons() -> list[tuple[str, str]]:
    """Every (prompt text, answer) pair, chats with and without the system turn."""
    chats = [(chat_text([("user", question)]), answer) for question, answer in CHAT]
    told = [(chat_text([("system", SYSTEM), ("user", question)]), answer) for question, answer in CHAT]
    return [*chats, *told, *COMPLETIONS]
