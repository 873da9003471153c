"""The ranking service: orders the candidates of one request by several learned objectives."""
