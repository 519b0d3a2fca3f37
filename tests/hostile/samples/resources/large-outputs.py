# ---
# tries: Show pictures, tables and a progress bar that are too large for a report.
# must:
#   outcome: graded
#   execution: completed
#   cells: 3
# ---
from IPython.display import HTML, display

for _ in range(40):
    display(HTML("<table>" + "<tr><td>x</td></tr>" * 20_000 + "</table>"))
# %%
import sys

for number in range(100_000):
    sys.stdout.write(f"\rstep {number}" + "\b" * 5)
# %%
display({"text/plain": "x" * 30_000_000}, raw=True)
