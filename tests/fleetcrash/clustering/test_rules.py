"""Signatures: what must fall together, what must not, and that there is one for any crash."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Frame, Role, Shape, sign
from fleetcrash.clustering.lists import lines
from fleetcrash.records import OS_TYPES

OUTAGE = Shape(
    "windows", "kernel", "0x50", "csagent.sys", "7.11.18110", 0xE14ED,
    (Frame("nt", "KeBugCheckEx", 0), Frame("nt", "KiPageFault", 12), Frame("csagent.sys", None, 0xE14ED)),
)  # fmt: skip


def stack(*functions, os_type="linux", domain="user", code="SIGSEGV", module=None):
    """A shape of frames written as module!function."""
    frames = tuple(Frame(*(part or None for part in text.rpartition("!")[::2])) for text in functions)
    return Shape(os_type, domain, code, module, frames=frames)


def test_the_outage_is_one_family_under_both_codes_and_whatever_tool_tells_it():
    for other in (
        replace(OUTAGE, code="0x0000007E"),
        replace(OUTAGE, code="PAGE_FAULT_IN_NONPAGED_AREA", module=r"C:\Windows\System32\drivers\CSAgent.sys"),
        replace(OUTAGE, module=None),
        replace(OUTAGE, frames=()),
        replace(OUTAGE, frames=(Frame("ntkrnlmp", "KeBugCheckEx", 0), Frame("csagent", "csagent+0xe14ed", 0xE14ED))),
        replace(OUTAGE, frames=(Frame("nt", "KeBugCheckEx", 0),)),
    ):
        assert sign(other).family == sign(OUTAGE).family == "windows | memory | csagent.sys"


def test_a_version_and_an_offset_are_a_variant_and_no_other_family():
    signature = sign(OUTAGE)
    assert signature.variant == "windows | memory | csagent.sys 7.11.18110 +0xe14ed"
    newer = sign(replace(OUTAGE, module_version="7.12"))
    assert (newer.family, newer.variant != signature.variant) == (signature.family, True)
    assert sign(replace(OUTAGE, module="other.sys")).variant == "windows | memory | csagent.sys +0xe14ed"


def test_without_symbols_a_mac_is_told_by_whom_its_report_blames():
    frames = (Frame("mach_kernel", None, 1), Frame("com.apple.iokit.IOFoo", None, 2), Frame("com.acme.usb", None, 3))
    nameless = Shape("darwin", "kernel", "type 14=page fault", "com.acme.usb", "7.1", 3, frames)
    assert sign(nameless).variant == "darwin | memory | com.acme.usb 7.1 +0x3"
    assert sign(replace(nameless, module=None)).family == "darwin | memory | com.apple.iokit.iofoo"
    assert sign(replace(nameless, module="mach_kernel")).family == "darwin | memory | com.apple.iokit.iofoo"
    assert sign(replace(nameless, module="mach_kernel", frames=frames[:1])).family == "darwin | memory | kernel"
    assert sign(replace(nameless, module="WindowServer", frames=frames[:2])).family == "darwin | memory | windowserver"
    named = (frames[0], Frame("com.apple.iokit.IOFoo", "_foo_start"), frames[2])
    assert sign(replace(nameless, frames=named)).family == "darwin | memory | com.apple.iokit.iofoo!_foo_start"


def test_a_hang_is_a_hang_whatever_ended_it():
    assert sign(replace(OUTAGE, domain="hang")).family == sign(replace(OUTAGE, code="0x133")).family


def test_another_module_another_kind_of_fault_and_another_system_are_other_families():
    families = {
        sign(one).family
        for one in (
            OUTAGE,
            replace(OUTAGE, frames=(Frame("other.sys", None, 1),)),
            replace(OUTAGE, code="0x133"),
            replace(OUTAGE, os_type="darwin"),
        )
    }
    assert len(families) == 4, families


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        (stack("libc.so.6!abort", "libc.so.6!__assert_fail", "/usr/bin/app!ns::run(int)"), "app!ns::run"),
        (stack("!kasan_report", "!memcpy", "ext4!ext4_find", domain="kernel", code="Oops"), "ext4!ext4_find"),
        (stack("!dump_stack", "!__warn", "!kfree", "!tipc_join", domain="kernel"), "kernel!tipc_join"),
        (stack("!__rust_start_panic", "!core::panicking::panic", "app!app::parse"), "app!app::parse"),
        (stack("!__rustc::rust_begin_unwind", "!core::panicking::panic_fmt", "!shop::sum"), "shop::sum"),
        (stack("!runtime.gopanic", "!runtime.sigpanic", "!main.(*S).run"), "main.*S.run"),
        (stack("!??", "!std::vector<int>::at(unsigned long)", "!parse"), "parse"),
        (stack("ntdll.dll!RtlRaiseStatus", "KERNELBASE.dll!RaiseException", "app.exe!run", os_type="windows"),
         "app.exe!run"),
        (stack("ntdll!RtlUserThreadStart", "KERNEL32!BaseThreadInitThunk", "app!app+0x1f", os_type="windows"), "app"),
        (stack("main.py!main"), "main.py!main"),
        (stack("app!__asan_memset", "!operator->", "app!run"), "app!run"),
        (stack("!(/lib/x86_64-linux-gnu/libc.so.6+0x1f)", "!/opt/app/libapp.so.2+0x12"), "libapp.so"),
        (stack("libsystem_kernel.dylib!__pthread_kill", "libsystem_c.dylib!abort", "App!-[Foo bar]", os_type="darwin"),
         "app!-[Foo bar]"),
        (stack("node:internal/modules/cjs/loader!Module._compile", "/srv/app.js!Foo.bar"), "app.js!Foo.bar"),
        (stack("mach_kernel!_panic + 0x54", "mach_kernel!_assfail + 0x2f", "mach_kernel!_ip6_setmoptions + 0x3382",
               os_type="darwin", domain="kernel", code="panic"), "kernel!ip6_setmoptions"),
        (stack("mach_kernel!_panic", "mach_kernel!_kalloc_type_var_impl", "mach_kernel!_IOFree", "acme.usb!_write_done",
               os_type="darwin", domain="kernel", code="panic"), "acme.usb!_write_done"),
        (stack("libobjc.A.dylib!objc_release + 16", "CoreFoundation!_CFAutoreleasePoolPop + 32",
               "Foundation!-[NSAutoreleasePool drain] + 136", "AppKit!-[NSApplication run] + 416",
               "SwiftUI!specialized runApp(_:) + 168", "SwiftUI!runApp<A>(_:) + 112", "SwiftUI!static App.main() + 224",
               "Acme!static AcmeApp.$main() + 40", os_type="darwin"), "acme!AcmeApp.$main"),
        (stack("libsystem_kernel.dylib!mach_msg2_trap", "GraphicsServices!GSEventRunModal",
               "UIKitCore!-[UIApplication _run]", "UIKitCore!UIApplicationMain", "App!main", os_type="darwin"),
         "app!main"),
        (stack("!dump_stack_lvl", "!panic", "!check_panic_on_warn", "!end_report", "!kasan_report", "sensor!ring_read",
               domain="kernel"), "sensor!ring_read"),
        (stack("!vpanic", "!check_panic_on_warn", "!__warn", "!__report_bug", "!bug_brk_handler",
               "!call_el1_break_hook", "!do_el1_brk64", "!el1_dbg", "sensor!ring_put", domain="kernel"),
         "sensor!ring_put"),
        (stack("!panic", "!watchdog_timer_fn", "!hrtimer_interrupt", "!arch_timer_handler_virt",
               "!handle_percpu_devid_irq", "!generic_handle_domain_irq", "!gic_handle_irq", "!call_on_irq_stack",
               "!do_interrupt_handler", "!el1_interrupt", "!el1h_64_irq", "sensor!ring_spin", domain="kernel"),
         "sensor!ring_spin"),
        (stack("!panic", "!nmi_panic", "!arm64_serror_panic", "!do_serror", "!el1h_64_error_handler", "!el1h_64_error",
               "sensor!ring_read", domain="kernel"), "sensor!ring_read"),
        (stack("!nmi_panic", "!watchdog_overflow_callback", "!__perf_event_overflow", "!handle_pmi_common",
               "!intel_pmu_handle_irq", "!perf_event_nmi_handler", "!nmi_handle", "!exc_nmi", "sensor!ring_spin",
               domain="kernel"), "sensor!ring_spin"),
        (stack("!panic", "!__warn", "!report_bug", "!program_check_exception", "!program_check_common_virt",
               "sensor!ring_put", domain="kernel"), "sensor!ring_put"),
        (stack("System.ThrowHelper!ThrowKeyNotFoundException", "System.Collections.Generic.Dictionary`2!get_Item",
               "Acme.Queue!Take", os_type="windows", code="System.X"), "acme.queue!Take"),
        (stack("System.Runtime.ExceptionServices.ExceptionDispatchInfo!Throw", "Microsoft.AspNetCore.Matcher!Run",
               "Microsoft.Photos.exe!Run", os_type="windows"), "microsoft.photos.exe!Run"),
        (stack("java.util.HashMap!get", "kotlin.collections.MapsKt!getValue", "com.acme.Queue!take"),
         "com.acme.queue!take"),
        (stack("mach_kernel!_panic + 0x84", "mach_kernel!_sync_iss_to_iks + 0x2c6", "mach_kernel!_kernel_trap + 0xa70",
               "mach_kernel!_return_from_trap + 0xff", "mach_kernel!_ifnet_find + 0x12", os_type="darwin",
               domain="kernel", code="Kernel trap type 14=page fault"), "kernel!ifnet_find"),
        (stack("!do_double_fault", "!double_fault", "sensor!ring_put", domain="kernel"), "sensor!ring_put"),
        (stack("!memcpy", "!memmove"), "memcpy"),
        (stack("nt!KeBugCheckEx", "nt!ExFreePool", os_type="windows", domain="kernel"), "nt!ExFreePool"),
    ],
)  # fmt: skip
def test_the_innermost_frame_that_is_not_the_systems_own_decides(shape, place):
    assert sign(shape).family.rpartition(" | ")[2] == place


@pytest.mark.parametrize("driver", ["nvlddmkm.sys", "amdkmdag.sys"])
def test_a_display_that_did_not_answer_is_of_its_driver(driver):
    reset = ("TdrBugcheckOnTimeout", "ADAPTER_RENDER::Reset", "DXGADAPTER::Reset", "TdrResetFromTimeout")
    frames = ("nt!KeBugCheckEx", *(f"dxgkrnl!{one}" for one in reset), "dxgmms1!VidSchiRecoverFromTDR")
    shape = stack(*frames, "nt!ExpWorkerThread", os_type="windows", domain="kernel", code="0x116")
    assert sign(replace(shape, module=driver)).family == f"windows | hang | {driver}"


def test_a_function_of_the_kernel_says_more_than_the_whole_kernel():
    families = {
        sign(replace(stack("!panic", f"!{one}", domain="kernel"), module="kernel")).family
        for one in ("memcpy", "kfree")
    }
    assert families == {"linux | memory | kernel!memcpy", "linux | memory | kernel!kfree"}
    assert sign(Shape("linux", "kernel", "OOPS", "kernel")).family == "linux | memory | kernel"


def test_without_a_stack_the_module_then_the_text_then_the_code_decide():
    assert sign(Shape("linux", "user", "11", "libfoo.so.1")).family == "linux | memory | libfoo.so"
    assert sign(Shape("windows", "kernel", "0x50", "nt")).family == "windows | memory | nt"
    text = "BUG: KASAN: use-after-free in foo_free+0x18/0xc0"
    assert sign(Shape("linux", "kernel", text)).family == "linux | memory | kernel!foo_free"
    assert sign(Shape("linux", "user", "11")).family == "linux | memory SIGSEGV"
    assert sign(Shape("linux", "user", "ValueError: 3")).family == "linux | ValueError"
    assert sign(Shape("linux")).family == "linux | unknown"
    assert len(sign(Shape("linux", "user", "x y " * 300)).family) < 100


@pytest.mark.parametrize("domain", ["user", "hang"])
def test_what_crashes_in_the_systems_own_code_is_told_apart_by_its_program(domain):
    inner = (Frame("libc.so.6", "raise"), Frame("libc.so.6", "abort"), Frame("libc.so.6", "free"))
    for frames, module in ((inner, None), ((), "libc.so.6"), (inner, "libc.so.6")):
        by = {
            program: sign(Shape("linux", domain, "6", module, frames=frames, program=program)).family.rpartition(" ")[2]
            for program in ("/opt/x/scan", "other", None, "/usr/bin/python3.11", "libc.so.6")
        }
        assert (by["/opt/x/scan"], by["other"]) == ("scan", "other")
        assert by[None] == by["/usr/bin/python3.11"] == by["libc.so.6"], "a runtime is no program of its own"
    assert sign(Shape("linux", "kernel", "6", "libc.so.6", program="scan")).family.endswith("libc.so")
    own = Shape("linux", domain, "6", "libfoo.so.1", program="scan")
    assert sign(own).family.endswith("libfoo.so"), "whose own code is at fault needs no program"


def test_a_handler_that_ends_the_process_is_not_what_crashed():
    handler = (Frame("libc.so.6", "kill"), Frame("scan", "die"), Frame("libc.so.6", "__restore_rt"))
    fault = (Frame("libc.so.6", "memcpy"), Frame("librelay.so", "relay_push"))
    assert sign(Shape("linux", "user", "7", frames=(*handler, *fault))).family.endswith("| librelay.so!relay_push")
    assert sign(Shape("linux", "user", "7", frames=(*handler[1:], *fault))).family.endswith("| scan!die")


def test_a_title_is_for_people():
    assert sign(OUTAGE).title == "csagent.sys: invalid memory access"
    assert sign(stack("app!ns::run(int)")).title == "app: invalid memory access in ns::run"
    assert sign(Shape("windows", "kernel", "0x124")).title == "hardware error (0x124)"
    assert sign(Shape("linux", "user", None)).title == "crash"


@given(st.lists(st.sampled_from(["0x133", "0x9f", "0x101", "APPHANG", "0x50", "7e", None]), min_size=2, max_size=2))
def test_one_family_has_one_title(codes):
    for domain in ("kernel", "hang"):
        for module in ("a.sys", None):
            one, other = (sign(Shape("windows", domain, code, module)) for code in codes)
            assert (one.family == other.family) == (one.title == other.title)


def test_a_signature_explains_itself():
    signature = sign(OUTAGE)
    assert [step.rule for step in signature.steps] == [
        "code", "class", "module", "frames", "reporting", "machinery", "first frame", "version", "offset",
    ]  # fmt: skip
    assert [frame.role for frame in signature.frames] == [Role.REPORTING, Role.REPORTING, Role.DECIDES]
    assert "first frame: frame 2 of 3 → csagent.sys" in signature.notes


def test_the_id_is_of_the_family_and_stays():
    """A changed id breaks links and saved filters; see lists/README.md before changing what this expects."""
    assert sign(OUTAGE).cluster_id == "clu-460218fb49"


@pytest.mark.parametrize("name", ["reporting", "machinery", "code_classes", "signals"])
def test_no_list_says_a_thing_twice(name):
    told = Counter(line for line in lines(name) if not line.startswith("["))
    assert [line for line, times in told.items() if times > 1] == []


@pytest.mark.parametrize(
    ("frames", "decides"),
    [
        (["raise", "abort", "__sprintf_chk", "relay::write"], "relay::write"),
        (["__interceptor_memcpy", "relay::parse", "LLVMFuzzerTestOneInput", "fuzzer::RunOneTest"], "relay::parse"),
        (["ExitCallback", "LLVMFuzzerTestOneInput", "fuzzer::RunOneTest", "main"], "LLVMFuzzerTestOneInput"),
        (["testing::internal::AssertHelper::operator=", "operator()", "relay::Test_Push"], "relay::Test_Push"),
        (
            [
                "v8::base::debug::StackTrace::StackTrace",
                "V8_Fatal",
                "v8::base::{anonymous}::DefaultDcheckHandler",
                "relay::Queue::push",
            ],
            "relay::Queue::push",
        ),
        (["abort", "libfuzzer_sys::initialize::_$u7b$$u7b$closure$u7d$$u7d$", "relay::push"], "relay::push"),
        (["java.util.ArrayList!get", "kotlin.Lazy!value", "com.acme.Queue!push"], "com.acme.queue!push"),
        (["android.os.Handler!dispatchMessage", "com.acme.Main!run"], "com.acme.main!run"),
        (
            ["libc.so!abort", "android.hardware.audio@2.0-impl.so!open", "push"],
            "android.hardware.audio@2.0-impl.so!open",
        ),
        (["libc.so!abort", "boot-framework.oat!android.os.Looper.loop", "librelay.so!push"], "librelay.so!push"),
    ],
)
def test_what_reports_and_what_only_carries_does_not_decide(frames, decides):
    assert sign(stack(*frames)).family == f"linux | memory | {decides}"


names = (
    st.none()
    | st.text(max_size=60)
    | st.sampled_from(["nt", "a.sys", "memcpy", "f<g>(h)", "f+0x1", "operator<", "0xffffffff"])
)
frames = st.builds(Frame, names, names, st.none() | st.integers(0, 2**63 - 1))
shapes = st.builds(
    Shape,
    st.sampled_from(OS_TYPES),
    st.sampled_from(["kernel", "user", "hang"]),
    names | st.sampled_from(["0x50", "11", "SIGSEGV"]),
    names,
    names,
    st.none() | st.integers(0, 2**63 - 1),
    st.lists(frames, max_size=6).map(tuple),
)


@given(shapes)
def test_every_crash_has_a_signature_and_always_the_same(shape):
    signature = sign(shape)
    assert signature == sign(replace(shape))
    assert signature.family.startswith(shape.os_type)
    assert signature.variant.startswith(signature.family)
    assert len(signature.variant) < 700
    assert signature.title
    assert len(signature.frames) == len(shape.frames)
    assert sum(frame.role is Role.DECIDES for frame in signature.frames) <= 1


def test_a_stack_of_any_depth_is_read_to_its_bound():
    deep = replace(OUTAGE, frames=(Frame("nt", "KeBugCheckEx"),) * 200 + (Frame("deep.sys", "f"),))
    assert len(sign(deep).frames) == 128
    assert sign(deep).family == "windows | memory | csagent.sys"
