"""HTTP and TLS: from the wire to an `HttpRequest` and back, and the connections that sleep meanwhile."""
