"""The wire protocol: HTTP requests, authentication, command and event frames."""
