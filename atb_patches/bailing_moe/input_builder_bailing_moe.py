"""Chat prompts: the checkpoint's own template, and Ling's where the checkpoint has none."""

from atb_llm.models.base.input_builder import InputBuilder

# Turns follow one another without separators; there is no system turn unless the request has one.
# Source: the Ling models' published chat format.
LING_CHAT_TEMPLATE = (
    "{% set names = {'system': 'SYSTEM', 'user': 'HUMAN', 'assistant': 'ASSISTANT', 'tool': 'OBSERVATION'} %}"
    "{% for message in messages %}"
    "{% if message['role'] not in names %}"
    "{{ raise_exception('role ' ~ message['role'] ~ ' is none of system, user, assistant, tool') }}"
    "{% endif %}"
    "{{ '<role>' ~ names[message['role']] ~ '</role>' ~ (message['content'] or '') }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<role>ASSISTANT</role>' }}{% endif %}"
)


class Bailing_moeInputBuilder(InputBuilder):
    """Stock input builder with Ling's chat template as the fallback (stock DeepSeek would use its own)."""

    def __init__(self, tokenizer, chat_template="", **kwargs):
        # A worker that loads no tokenizer has none to give a template to.
        if tokenizer is None:
            chat_template = ""
        elif not chat_template and not getattr(tokenizer, "chat_template", None):
            chat_template = LING_CHAT_TEMPLATE
        super().__init__(tokenizer, chat_template=chat_template, **kwargs)
