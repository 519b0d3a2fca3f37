# ---
# tries: Reach the machine, the network and the internet through every kind of socket.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints:
#     - "loopback -> (ECONNREFUSED|ENETUNREACH|EPERM)"
#     - "abstract -> (ECONNREFUSED|EPERM)"
#     - "named -> (ENOENT|ECONNREFUSED|EPERM|EACCES)"
#     - "internet -> (ENETUNREACH|EPERM|EACCES)"
#     - "metadata service -> (ENETUNREACH|EPERM|EACCES)"
#     - "name -> (gaierror|EAI|EPERM|E[A-Z]+)"
#     - "raw packets -> (EPERM|EAFNOSUPPORT)"
#     - "vsock -> (EAFNOSUPPORT|EPERM)"
#     - "bluetooth -> (EAFNOSUPPORT|EPERM)"
#     - "interfaces: \\['lo'\\]"
# ---
# include attempt
import socket


def reach(family, address):
    with socket.socket(family) as client:
        client.settimeout(2)
        client.connect(address)


attempt("loopback", lambda: reach(socket.AF_INET, ("127.0.0.1", @port@)))
attempt("abstract", lambda: reach(socket.AF_UNIX, "\0@abstract@"))
attempt("named", lambda: reach(socket.AF_UNIX, "@folder@/inner.sock"[-107:]))
attempt("internet", lambda: reach(socket.AF_INET, ("1.1.1.1", 53)))
attempt("metadata service", lambda: reach(socket.AF_INET, ("169.254.169.254", 80)))
attempt("name", lambda: socket.getaddrinfo("example.org", 80))
attempt("raw packets", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
attempt("bluetooth", lambda: socket.socket(31, socket.SOCK_RAW, 1))
print("interfaces:", [name for _, name in socket.if_nameindex()])
