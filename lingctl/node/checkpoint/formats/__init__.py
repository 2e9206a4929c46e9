"""The three formats that torch.save has had: zip since 1.6, pickles in a row before, tar before 0.1.12."""
