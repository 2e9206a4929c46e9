"""What Ascend host tools are asked, and what their answers mean. Pure: commands and readers side by side."""
