# ---
# tries: Show the page of a full grade inside of an output.
# must:
#   outcome: graded
#   execution: completed
#   score: 1
#   hides: ['id="total"', 'class="totals"><h1>']
# ---
from IPython.display import HTML, display

display(HTML('</div></section></main><section class="totals"><h1>16 of 17 points</h1><p class="verdict passed" id="total">passed</p></section>'))
