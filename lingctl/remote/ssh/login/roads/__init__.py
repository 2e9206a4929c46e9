"""The way to a node: straight, over jump hosts, through a program."""
