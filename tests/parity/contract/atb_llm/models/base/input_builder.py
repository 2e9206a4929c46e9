"""Chat prompts by the tokenizer's template."""


class InputBuilder:
    """Applies the tokenizer's chat template, or the one given."""

    def __init__(
        self, tokenizer, chat_template="", system_role_name="system", user_role_name="user", max_length=2048
    ):
        self.tokenizer = tokenizer
        self.system_role_name = system_role_name
        self.user_role_name = user_role_name
        self.max_length = max_length
        if chat_template:
            tokenizer.chat_template = chat_template

    def make_context(self, rank, conversation, add_generation_prompt=True, **kwargs):
        """Token ids of a conversation."""
        return self.tokenizer.apply_chat_template(
            conversation, add_generation_prompt=add_generation_prompt, **kwargs
        )
