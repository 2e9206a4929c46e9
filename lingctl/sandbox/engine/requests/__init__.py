"""Requests on their way through the engine: what one wishes, why it is refused, its rounds and its end."""
