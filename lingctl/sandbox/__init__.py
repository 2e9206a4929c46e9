"""An emulated Ascend cluster: real SSH servers, emulated tools, a strict emulated MindIE."""
