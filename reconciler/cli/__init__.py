"""Commands; the only room that knows every adapter. Nothing heavy is imported before a command needs it."""
