"""The demo: accounts, sample mails, a way for outgoing mail, what the terminal shows."""
