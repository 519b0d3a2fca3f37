# ---
# tries: Run scripts in the browser of the person who grades, through text cells.
# must:
#   outcome: graded
#   execution: completed
# ---
# %% [markdown]
# <script>document.title='PWNED-md'</script>Title <img src=x onerror="document.title='PWNED-img'">
# <svg onload="document.title='PWNED-svg'"><animate onbegin="document.title='PWNED-anim'" attributeName=x dur=1s></svg>
# <style>body{display:none} @import url(http://127.0.0.1:@port@/x.css);</style>
# <meta http-equiv="refresh" content="0;url=http://127.0.0.1:@port@/meta"><base href="http://127.0.0.1:@port@/">
# <iframe src="http://127.0.0.1:@port@/f" srcdoc="<script>top.document.title='PWNED-frame'</script>"></iframe>
# <form action="http://127.0.0.1:@port@/"><input name=a autofocus onfocus="document.title='PWNED-focus'"></form>
# [a](javascript:document.title='PWNED') [b](data:text/html,<script>1</script>) [c](vbscript:x) [f](file:///etc/passwd)
# <a href="jav&#x09;ascript:alert(1)">x</a> <a href="https://x.example/" target=_top onclick="alert(1)" style="position:fixed;inset:0">cover</a>
# <div style="position:fixed;inset:0;background:#fff;z-index:99999" class="totals points verdict passed" id="criterion-1">COVER</div>
# <math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=document.title='PWNED-mx'&gt;"></table></math>
# <noscript><p title="</noscript><img src=x onerror=document.title='PWNED-ns'>"></noscript>
# ![p](http://127.0.0.1:@port@/p.png) ![q](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+) ![r](attachment:zz)
# </div></section></main></body></html><h1>100 of 100 points</h1>
# %%
print("text cells")
