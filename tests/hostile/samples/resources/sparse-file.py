# ---
# tries: Leave a file of a terabyte that needs no room here, for whoever copies it.
# must:
#   outcome: graded
#   execution: completed
#   prints: ["model -> (EFBIG|SIGXFSZ)", "size: \\d+"]
# ---
# include attempt
import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def sparse(path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)


attempt("model", lambda: sparse("/record/models/m1.keras"))
attempt("work", lambda: sparse("big.bin"))
print("size:", sum(os.path.getsize(name) for name in os.listdir(".")))
