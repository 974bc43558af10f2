"""The ASGI middleware that handles each request before its route."""
