"""BailingMoE v1 (Ling-lite, Ling-plus, Ring-lite) for atb_llm: one added folder, no stock file changed.

atb_llm finds a model by the folder named after config.json's ``model_type``. Reading order:

1. ``router_bailing_moe``       what atb_llm calls first: config, tokenizer, chat template
2. ``config_bailing_moe``       Ling's keys under the names that stock DeepSeek reads; refuses the rest
3. ``layout``                   which rank holds which attention heads (plain arithmetic, no torch)
   ``contents``                 whether the checkpoint has the layers and experts that config.json names
4. ``modeling_bailing_moe``     loads embedding, attention and norms; the experts are stock DeepSeek's
5. ``flash_causal_bailing_moe`` stock DeepSeek's causal class around that decoder, and the head's norm
"""
