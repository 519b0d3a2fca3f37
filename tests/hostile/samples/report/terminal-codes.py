# ---
# tries: "Steer the terminal of the person who grades: titles, links, the clipboard, hidden and turned text."
# must:
#   outcome: [graded, flagged]
#   execution: cell_error
#   criteria: {runs: [failed, partial]}
#   says: ["{cell:cell} raised {error}"]
# ---
print("\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07 \x1b[31mred\x1b]0;title\x07 \x9b31m \x1b[2J\u202eabc")
# %%
class Bad(Exception):
    pass


Bad.__name__ = "<script>x</script>\x1b]0;PWNED\x07\x1b[31m\x9b\u202e"
raise Bad("<img src=x> \x1b]0;PWNED\x07\x1b[2J\x1b[31m\x1b]52;c;cm0gLXJm\x07 [red]markup[/red] [link=file:///etc]l[/link] \u202e rtl \u2028 \x9b2J")
