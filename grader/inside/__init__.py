"""The only code that runs inside a sandbox.

It needs the standard library, NumPy, TensorFlow and what TensorFlow itself requires, and imports nothing from the rest
of `grader`: the folder is mounted into the sandbox by itself and imported as the package `inside`.
"""
