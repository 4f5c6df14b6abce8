"""Lines of a kernel's stack: those without names of functions, and those that a mail broke in two."""

from __future__ import annotations

import pytest

from ingest.formats import kernel_steps
from ingest.formats.crashes import Frame
from tests.ingest.formats.test_kernel_log import stack, the_fault


@pytest.mark.parametrize(
    ("lines", "frames"),
    [
        (
            [
                "epc   : 803cf5a4 0x803cf5a4", "ra    : 83178634 0x83178634 [radio_usb@83178000+0x2290]",
                "Call Trace:", "[<803cf5a4>] 0x803cf5a4", "[<83178634>] 0x83178634 [radio_usb@83178000+0x2290]",
            ],
            [("kernel", None), ("radio_usb", 0x634)],
        ),
        (
            [
                "pc : 0xffffffc078f78a18 [radio@00000000936acc78+0xe000]", "lr : 0xffffffc078f79018", "Call trace:",
                " 0xffffffc078f78a18 [radio@00000000936acc78+0xe000]", " 0xffffffc08005a134",
            ],
            [("radio", None), ("kernel", None)],
        ),
        (["RIP: 0033:0x7f394350f397", "Call Trace:", " 0x7f394350f397", " 0x0000000000401f70"], []),
    ],
    ids=["mips", "arm64", "of a program"],
)  # fmt: skip
def test_a_kernel_without_names_tells_which_module_a_step_is_in(lines, frames):
    found, _ = kernel_steps.stack_of(lines, None)
    assert [(frame.module, frame.offset) for frame in found] == frames
    assert not any(frame.function for frame in found)


def test_a_jump_to_nowhere_is_no_step_of_a_kernel_with_names():
    found, _ = kernel_steps.stack_of(
        ["RIP: 0010:0xffffffffbff8a2a0", "Call Trace:", " ? ring_poll+0x1/0x2", " ring_put+0x1/0x2 [sensor]"], None
    )
    assert [(frame.module, frame.function) for frame in found] == [("sensor", "ring_put")]
    assert kernel_steps.stack_of(["Oops: 0011 [#1]", "Modules linked in:"], Frame("kernel")) == ([], None)


def test_a_mail_may_break_a_step_of_arm_before_the_caller():
    fault = the_fault(
        "Internal error: Oops: 5 [#1] THUMB2\nPC is at ring_put+0x0/0x14\n"
        "[<c03fbee8>] (ring_put) from [<bf8030fb>]\n    (sensor_work+0xa3b/0xda0 [sensor])\n"
        "[<bf8030fb>] (sensor_work [sensor]) from [<c012082b>]\n(process_one_work+0x123/0x2a8)"
    )
    assert stack(fault) == ["kernel!ring_put", "sensor!sensor_work", "kernel!process_one_work"]


def test_a_step_with_a_place_of_several_blocks_is_one():
    lines = ["Call Trace:", " [<ffffffff926dbfd0>] ring_turn+0x572/0x7e1 drivers/ring.c:2302 (discriminator 3)"]
    assert kernel_steps.stack_of(lines, None)[0] == [Frame("kernel", "ring_turn")]


def test_a_kernel_that_is_a_library_numbers_its_steps():
    lines = [
        "Linux Kernel Library Stack Trace:", "#0 [<0x000000000062a66a>] ring_poll+0x6a/0x5c0",
        "    #1 0x00000000005e7584 in ring_put /src/lkl/drivers/ring.c:507:3",
        "#10 [<0x0000000000798e95>] ring_turn+0x335/0x780", "#11 [<0x000000000051505a>] 0x51505a",
    ]  # fmt: skip
    found, _ = kernel_steps.stack_of(lines, None)
    assert found == [Frame("kernel", name) for name in ("ring_poll", "ring_put", "ring_turn")]


@pytest.mark.parametrize("what", ["Fatal exception in interrupt", "Oops: Fatal exception in interrupt"])
def test_a_panic_at_the_end_of_an_oops_tells_its_steps(what):
    step = " 0xffffffc078f78a18 [radio@00000000936acc78+0xe000]"
    fault = the_fault(f"Call trace:\n{step}\nKernel panic - not syncing: {what}")
    assert (stack(fault), fault.module) == (["radio!None"], "radio")


@pytest.mark.parametrize("count", ["#9", "# 9"])
def test_a_page_may_part_the_number_of_a_build_from_its_sign(count):
    lines = [f"Pid: 2706, comm: relay Not tainted 3.7.5 {count} Acme, Inc.", "EIP is at ring_put+0x89/0x90"]
    assert kernel_steps.stack_of(lines, None)[1] == "3.7.5"


def test_what_begins_behind_a_panic_did_not_call_for_it():
    steps = [" vpanic+0xf8/0x2dc", " abort+0x0/0x4", " add_taint+0x0/0xbc", " ring_die+0x70/0x80", " ring_put+0x0/0x10"]
    found, _ = kernel_steps.stack_of(["Call trace:", *steps], None)
    assert [frame.function for frame in found] == ["vpanic", "ring_die", "ring_put"]


def test_a_maker_writes_the_processor_behind_the_clock_and_the_frame_before_a_step():
    lines = [
        "Unable to handle kernel paging request at virtual address 6b6b6b8b",
        "Internal error: Oops: 96000005 [#1] PREEMPT SMP",
        "CPU: 0 PID: 5301 Comm: relayd Tainted: G           O    4.9.113 #1",
        "PC is at ring_put+0xd8/0xe4",
        "Call trace:",
        "[ffffff80201c7800+  32][<ffffff80091f0e2c>] ring_put+0xd8/0xe4 [sensor]",
        "[ffffff80201c7820+  96][<ffffff8009086334>] sensor_work+0xac/0x2b4 [sensor]",
    ]
    fault = the_fault("\n".join(f"[ 6020.{at:06d}@{at % 4}] {said}" for at, said in enumerate(lines)))
    assert (fault.code, fault.line.clock, fault.release) == ("OOPS", 6020.000001, "4.9.113")
    assert stack(fault) == ["kernel!ring_put", "sensor!ring_put", "sensor!sensor_work"]
