# ---
# tries: Leave arrays whose headers promise terabytes, and compressed zeros.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   unverified: true
# ---
# include record
import io
import zipfile

claim_model()
claim_training()
for name, header in (
    ("predictions/m1.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (200, 1000000000000), }"),
    ("arrays/a1.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 10), }"),
    ("predictions/m2.npy", "{'descr': '|O', 'fortran_order': False, 'shape': (__import__('os').getpid(), 10), }"),
):
    text = header.ljust(117) + "\n"
    with open(f"/record/{name}", "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + b"\0" * 8000)
with zipfile.ZipFile("/record/arrays/a1.npz", "w", zipfile.ZIP_DEFLATED) as archive:
    with archive.open("fingerprints.npy", "w", force_zip64=True) as member:
        member.write(b"\x93NUMPY\x01\x00v\x00{'descr': '<u8', 'fortran_order': False, 'shape': (134217728,), }".ljust(127) + b"\n")
        for _ in range(1024):
            member.write(b"\0" * (1 << 20))
tell("kept", model="m1", format="predictions", path="predictions/m1.npy", after=recorder.log.last)
