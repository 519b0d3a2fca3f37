"""The only code that runs inside a sandbox.

It needs only the standard library, NumPy, TensorFlow and TensorFlow's own requirements. It imports nothing from the
rest of `grader`, because only this folder is mounted into the sandbox, as the package `inside`.
"""
