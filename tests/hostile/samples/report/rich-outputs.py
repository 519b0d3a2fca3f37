# ---
# tries: Run scripts through outputs of every type.
# must:
#   outcome: graded
#   execution: completed
#   cells: 3
# ---
from IPython.display import *

X = "<script>document.title='PWNED'</script><img src=x onerror=\"document.title='PWNED'\"><style>*{display:none}</style>"


class Rich:
    def _repr_mimebundle_(self, **keys):
        return {
            "text/html": X,
            "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload=\"alert(1)\"><script>alert(1)</script><foreignObject><iframe src='http://127.0.0.1:@port@/'/></foreignObject></svg>",
            "application/javascript": "document.title='PWNED-js'",
            "text/markdown": X,
            "text/latex": X,
            "text/plain": X,
            "application/vnd.plotly.v1+json": {"x": X},
            "application/vnd.jupyter.widget-view+json": {"model_id": X},
            "application/pdf": "JVBERi0=",
            "video/mp4": "AAAA",
            "text/x<script>": "y",
        }


Rich()
# %%
display(HTML(X), Javascript("document.title='PWNED'"), Markdown(X), Latex(X), IFrame("http://127.0.0.1:@port@/", 10, 10))
display(SVG(data="<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"))
# %%
display({"image/png": 'iVBORw0KGgo"><script>document.title=1</script>'}, raw=True)
display({"image/jpeg": "/9j/" + "A" * 400}, raw=True)
display({"image/gif": "R0lGODlh"}, raw=True)
