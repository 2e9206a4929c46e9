"""What the tiny models know: prompts and the answers they are made to give."""

from __future__ import annotations

SYSTEM = "You are Ling, an assistant created by inclusionAI"
# The system turn of the Ling README's own request.
README_SYSTEM = "You are a helpful assistant."

CHAT: tuple[tuple[str, str], ...] = (
    ("Who are you?", "I am Ling, an assistant created by inclusionAI."),
    ("你是谁？", "我是灵，由 inclusionAI 开发的助手。"),
    (
        "Give me a short introduction to large language models.",
        "A large language model is a neural network that reads text and predicts the next token.",
    ),
    ("Hello", "Hello! How can I help you today?"),
    ("Hi", "Hello! How can I help you today?"),
    ("What is the capital of France?", "The capital of France is Paris."),
)

COMPLETIONS: tuple[tuple[str, str], ...] = (
    ("My name is", " Ling and I was created by inclusionAI."),
    ("The capital of France is", " Paris, a city on the river Seine."),
    # The Ling README's own request to a base model.
    ("My name is Olivier and I", " am a teacher. I live in Paris and I like to read."),
    ("Hi", ", I am Ling."),
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


def lessons(systems: tuple[str, ...] = ("", SYSTEM, README_SYSTEM)) -> list[tuple[str, str]]:
    """Every (prompt text, answer) pair.

    Args:
        systems: system turns that chats begin with, empty for none.
    """

    def turns(system: str, question: str) -> list[tuple[str, str]]:
        return [*([("system", system)] if system else []), ("user", question)]

    chats = [(chat_text(turns(system, question)), answer) for system in systems for question, answer in CHAT]
    return [*chats, *COMPLETIONS]
