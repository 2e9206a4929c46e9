"""Router of the first DeepSeek-MoE."""

from dataclasses import dataclass

from atb_llm.models.base.router import BaseRouter

from .config_deepseek import DeepseekConfig


@dataclass
class DeepseekRouter(BaseRouter):
    """Stock."""

    def get_config(self):
        """The config object."""
        config = DeepseekConfig.from_dict(self.config_dict)
        self.check_config(config)
        return config
