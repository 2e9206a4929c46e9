"""What a card is asked, by hccn_tool and by npu-smi."""
