"""The command `petitbleu`: one module a subcommand."""
