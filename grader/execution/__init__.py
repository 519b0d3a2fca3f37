"""Executes notebooks and makes predictions of saved models, each in a sandbox.

Modules are imported directly:

- `runner`: `execute(ExecutionRequest, listener) -> ExecutionOutcome` executes one notebook;
- `client`: the client of its kernel;
- `predict`: `predict(jobs, …) -> list[PredictionResult]` uses saved models in a sandbox without student code;
- `collect`: copies the record out of a sandbox and reads its events;
- `canary`: the trial notebook that shows whether the recorder sees everything;
- `sandbox.isolation`: the interface of an isolation; `bubblewrap`, `container` and `unprotected` implement it, and
  `choice` picks one;
- `sandbox.device`: CPU or GPU, and the environment variables for it;
- `sandbox.capacity`: number of parallel jobs on this machine;
- `sandbox.provisioner`: the Jupyter kernel provisioner that starts a kernel in an isolation;
- `sandbox.warm`: processes that have imported TensorFlow, to fork kernels and predictors from;
- `sandbox.layout`: the folders of one execution, on this machine and inside the sandbox;
- `sandbox.scratch`: temporary folders, and the removal of those that a killed grader left;
- `sandbox.watchdog`, `sandbox.processes`: limits for a process tree, and its end;
- `outputs`, `terminal`: limits for the outputs of a cell;
- `advice`: advice for common exceptions.

No module here imports TensorFlow; only the code in `inside/` runs in a sandbox.
"""
