# ---
# tries: Show a hundred thousand small outputs.
# must:
#   outcome: graded
#   execution: completed
# ---
from IPython.display import display

for number in range(20_000):
    display({"text/plain": str(number)}, raw=True)
