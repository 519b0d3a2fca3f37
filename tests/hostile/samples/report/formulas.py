# ---
# tries: Run scripts through the formulas of MathJax and LaTeX.
# must:
#   outcome: graded
#   execution: completed
# ---
# %% [markdown]
# $\href{javascript:alert(1)}{x}$ $$\require{html}\style{position:fixed}{x}$$ $\class{totals}{x}$ $\unicode{x202e}$
# \begin{equation}\def\x{\x\x}\x\end{equation} $\csname x\endcsname \input{/etc/passwd} \write18{id}$
# $$<script>alert(1)</script>$$ \\(<img src=x onerror=alert(1)>\\)
# %%
from IPython.display import Latex, display

display(Latex(r"$\href{javascript:alert(1)}{x}$<script>alert(1)</script>"))
