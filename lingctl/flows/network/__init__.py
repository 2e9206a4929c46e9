"""The network and the cards, before anything is started."""
