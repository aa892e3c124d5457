"""Messages as they are stored: where each part lies, and the summary that lists show.

`index` makes what `summary` keeps; `transfer` decodes one part.  Below them: `splitter` finds the parts, `roles` says
what each is, `names`, `message_class`, `conversation` read what it means; `headers`, `words`, `parameters`,
`addresses`, `charsets` read fields; `html` makes text of HTML.
"""
