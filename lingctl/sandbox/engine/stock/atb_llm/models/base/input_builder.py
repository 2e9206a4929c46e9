"""InputBuilder: messages to token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class InputBuilder:
    """Builds prompts with the tokenizer's chat template."""

    def __init__(
        self,
        tokenizer: Any,
        chat_template: str = "",
        system_role_name: str = "system",
        user_role_name: str = "user",
        max_length: int = 2048,
    ) -> None:
        self.tokenizer = tokenizer
        self.system_role_name = system_role_name
        self.user_role_name = user_role_name
        self.max_length = max_length
        if chat_template:
            self.tokenizer.chat_template = chat_template

    def make_context(self, rank: int, conversation: Sequence[dict[str, Any]], **kwargs: Any) -> Any:
        """Token ids of a conversation."""
        return self.apply_chat_template(conversation, **kwargs)

    def apply_chat_template(self, conversation: Sequence[dict[str, Any]], **kwargs: Any) -> Any:
        """Token ids by the tokenizer's template.

        Raises:
            RuntimeError: the tokenizer has none.
        """
        if not getattr(self.tokenizer, "chat_template", None):
            raise RuntimeError("Your model does not appear to have a chat template.")
        return self.tokenizer.apply_chat_template(conversation, add_generation_prompt=True, **kwargs)
