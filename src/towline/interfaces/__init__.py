"""The doors: command line, later web page and MCP server. They reach everything through the operations."""
