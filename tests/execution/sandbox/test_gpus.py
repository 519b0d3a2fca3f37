"""GPUs and MIG instances; the output of `nvidia-smi` is imitated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.execution.sandbox.gpus import Gpu, choose_visible, find_gpus, is_named, read_gpus

LISTING = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1)
  MIG 3g.20gb     Device  0: (UUID: MIG-1111-2)
  MIG 1g.5gb      Device  1: (UUID: MIG-3333-4)
GPU 1: Tesla T4 (UUID: GPU-bbbb-5)
"""
DETAILS = """\
<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
  <driver_version>575.57.08</driver_version>
  <gpu id="00000000:15:00.0">
    <product_name>NVIDIA A100-SXM4-40GB</product_name>
    <mig_mode><current_mig>Enabled</current_mig><pending_mig>Enabled</pending_mig></mig_mode>
    <mig_devices>
      <mig_device>
        <index>0</index><gpu_instance_id>1</gpu_instance_id><compute_instance_id>0</compute_instance_id>
        <fb_memory_usage><total>19968 MiB</total><used>13 MiB</used></fb_memory_usage>
      </mig_device>
      <mig_device>
        <index>1</index><gpu_instance_id>9</gpu_instance_id><compute_instance_id>0</compute_instance_id>
        <fb_memory_usage><total>4864 MiB</total><used>6 MiB</used></fb_memory_usage>
      </mig_device>
    </mig_devices>
    <uuid>GPU-aaaa-1</uuid>
    <minor_number>1</minor_number>
    <fb_memory_usage><total>40960 MiB</total><used>20 MiB</used></fb_memory_usage>
  </gpu>
  <gpu id="00000000:10:00.0">
    <mig_mode><current_mig>N/A</current_mig></mig_mode>
    <mig_devices>None</mig_devices>
    <uuid>GPU-bbbb-5</uuid>
    <minor_number>0</minor_number>
    <fb_memory_usage><total>15360 MiB</total><used>3 MiB</used></fb_memory_usage>
  </gpu>
</nvidia_smi_log>
"""
LARGE = Gpu(0, "NVIDIA A100-SXM4-40GB MIG 3g.20gb", "MIG-1111-2", 1, 19968, (1, 0), "GPU-aaaa-1")
SMALL = Gpu(0, "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "MIG-3333-4", 1, 4864, (9, 0), "GPU-aaaa-1")
WHOLE = Gpu(1, "Tesla T4", "GPU-bbbb-5", 0, 15360)
MACHINE = (LARGE, SMALL, WHOLE)


def test_a_divided_gpu_is_replaced_by_its_instances() -> None:
    assert read_gpus(LISTING, DETAILS) == MACHINE


def test_the_drivers_tool_is_asked_for_its_list_and_for_details() -> None:
    answers = {"--list-gpus": LISTING, "--query": DETAILS}
    assert find_gpus(run=lambda command: answers[command[1]]) == MACHINE


@pytest.mark.parametrize("details", ["", "Failed to initialize NVML", "<nvidia_smi_log/>"])
def test_without_details_names_and_uuids_remain(details: str) -> None:
    found = read_gpus(LISTING, details)
    assert [(gpu.name, gpu.uuid) for gpu in found] == [(gpu.name, gpu.uuid) for gpu in MACHINE]
    assert {(gpu.minor, gpu.memory_mib, gpu.instance) for gpu in found} == {(None, None, None)}


def test_a_gpu_with_mig_and_no_instance_is_left_out() -> None:
    listing = "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1)\n"
    assert read_gpus(listing, DETAILS) == ()


def test_an_older_driver_has_the_numbers_of_an_instance_in_its_uuid() -> None:
    listing = "GPU 0: A100 (UUID: GPU-aaaa)\n  MIG 1g.5gb Device 0: (UUID: MIG-GPU-aaaa/7/0)\n"
    (gpu,) = read_gpus(listing)
    assert gpu.instance == (7, 0)


def test_numbers_that_the_driver_hides_are_unknown() -> None:
    hidden = DETAILS.replace("15360 MiB", "[Insufficient Permissions]").replace("<minor_number>0", "<minor_number>N/A")
    *_, whole = read_gpus(LISTING, hidden)
    assert (whole.memory_mib, whole.minor) == (None, None)


def test_without_the_drivers_tool_device_nodes_are_counted() -> None:
    found = find_gpus(run=lambda _: "", nodes=lambda: ["nvidia2", "nvidiactl", "nvidia-uvm", "nvidia0", "nvidia-caps"])
    assert found == (Gpu(0, "GPU 0", minor=0), Gpu(1, "GPU 1", minor=2))


@pytest.mark.parametrize(
    ("visible", "chosen"),
    [
        (None, MACHINE),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("1", (WHOLE,)),
        ("1,0", (WHOLE, LARGE, SMALL)),
        ("1,-1,0", (WHOLE,)),
        ("GPU-bb", (WHOLE,)),
        ("GPU-aaaa-1", (LARGE, SMALL)),
        ("MIG-3333-4, GPU-bbbb-5", (SMALL, WHOLE)),
        ("MIG-GPU-aaaa-1/9/0", (SMALL,)),
        ("1,1", (WHOLE,)),
        ("7,1", ()),
    ],
)
def test_the_variable_limits_the_gpus_by_the_rules_of_cuda(visible: str | None, chosen: tuple[Gpu, ...]) -> None:
    assert choose_visible(MACHINE, visible) == chosen


@given(st.text(max_size=40))
def test_any_value_of_the_variable_chooses_each_gpu_at_most_once(visible: str) -> None:
    chosen = choose_visible(MACHINE, visible)
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(MACHINE)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_output_of_the_tool_is_read(listing: str, details: str) -> None:
    assert all(gpu.name for gpu in read_gpus(listing, details))


def test_a_name_without_the_prefix_names_nothing() -> None:
    assert not is_named(WHOLE, "")
    assert not is_named(WHOLE, "bbbb")
