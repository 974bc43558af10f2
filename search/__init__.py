"""Query photo → places: the engine, verification, comparison; the HTTP server is in `server`."""
