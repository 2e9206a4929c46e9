"""The class atb_llm looks up first: ``model_type.capitalize() + "Router"``.

The base router finds the rest by name: ``flash_causal_bailing_moe.FlashBailing_moeForCausalLM``.
"""

from dataclasses import dataclass

from atb_llm.models.base.router import BaseRouter

from .config_bailing_moe import Bailing_moeConfig
from .input_builder_bailing_moe import Bailing_moeInputBuilder


@dataclass
class Bailing_moeRouter(BaseRouter):
    """Config and prompts of BailingMoE.

    Derives from the base router and not from DeepSeek's: that one forces a slow tokenizer with a ``[PAD]``
    token, and Ling's vocabulary has its own padding (126081, which is also its end of text).
    """

    def get_config(self):
        """The config object.

        Raises:
            ValueError: config.json asks for something this model class does not do.
        """
        config = Bailing_moeConfig.from_dict(self.config_dict)
        self.check_config(config)
        return config

    def get_input_builder(self):
        """The builder of chat prompts. An operator's template (3.0 has that setting) comes first."""
        return Bailing_moeInputBuilder(
            self.tokenizer,
            chat_template=getattr(self, "custom_chat_template", None) or "",
            max_length=self.config.max_position_embeddings,
        )
