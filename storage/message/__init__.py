"""Messages as they are stored: where each part lies, and the summary that lists show.

`summary` the values kept, `index` makes them, `splitter` finds the parts, `transfer` decodes one, `headers`, `words`,
`parameters`, `addresses`, `charsets` read headers, `html` makes text of HTML.
"""
