"""Names as they are compared: the same for what differs only by host, build or tool, and short whatever comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering.names import MAX_NAME_LENGTH, function_name, module_name

MODULES = {
    "csagent.sys": [r"C:\Windows\System32\drivers\CSAgent.sys", "CSAGENT.SYS", "csagent.sys+0x1234", '"csagent.sys"'],
    "nt": ["nt!", "ntoskrnl.exe", "NTKRNLMP.EXE", r"\SystemRoot\system32\ntkrnlpa.exe"],
    "kernel": ["vmlinux", "[kernel.kallsyms]", "mach_kernel"],
    "libc.so": ["libc.so.6", "/usr/lib/x86_64-linux-gnu/libc-2.31.so", "/lib/libc.so.6 (deleted)"],
    "libfoo.so": ["libfoo.so.1.2.3", "libfoo-1.2.so"],
    "libfoo.dylib": ["/usr/lib/libfoo.1.2.dylib", "libfoo.dylib"],
    "com.apple.iokit.iofoo": ["com.apple.iokit.IOFoo (1.0)", "com.apple.iokit.IOFoo(14.0.4)[D2-A]@0xffffff7f8"],
    "nf_tables": ["nf-tables.ko.xz", "[nf_tables]", "/lib/modules/5.4/kernel/net/nf_tables.ko"],
    "main.js": ["app:///static/main.8f3a2c1d.js?v=2", "https://example.com/main.js"],
    "foo/bar.py": ["/usr/lib/python3/dist-packages/foo/bar.py", r"C:\venv\Lib\site-packages\foo\bar.py"],
    "pkg/__init__.py": ["/opt/app/pkg/__init__.py"],
    "node:internal/modules/cjs/loader": ["node:internal/modules/cjs/loader"],
    "": [
        "",
        " ",
        "???",
        "0x7fffdeadbeef",
        "<unknown>",
        "[jit]",
        "JIT(0x3a5f77e)",
        "[anon:v8]",
        "/tmp/perf-123.map",
        None,
    ],
}

FUNCTIONS = {
    "ns::Foo::bar": [
        "ns::Foo<int>::bar(char*) const+0x1f",
        "void ns::Foo<std::vector<int> >::bar<int>(int, std::map<int,int> const&)",
        "mod.dll!ns::Foo::bar",
        "ns::Foo::bar[abi:cxx11](int)",
        "ns::Foo::bar (this=0x7fffffffcee0) at /src/foo.cpp:975",
    ],
    "ext4_free": ["ext4_free.isra.0+0x3c/0x90 [ext4]", "ext4_free.part.3.constprop.0", "ext4_free [clone .cold]"],
    "memcpy": ["memcpy@plt", "memcpy@@GLIBC_2.14", "memcpy + 123"],
    "sys_ioctl": ["__x64_sys_ioctl+0x10/0x20", "SyS_ioctl", "__se_sys_ioctl", "ksys_ioctl"],
    "std::vector::operator[]": ["std::vector<int, std::allocator<int> >::operator[](unsigned long)"],
    "ns::operator<<": ["ns::operator<<(std::ostream&, X const&)"],
    "ns::Foo::operator()": ["ns::Foo::operator()(int) const"],
    "ns::Foo::operator bool": ["ns::Foo<int>::operator bool() const"],
    "operator new": ["operator new(unsigned long)"],
    "core::ptr::drop_in_place": ["core::ptr::drop_in_place<alloc::vec::Vec<u8>>::h0123456789abcdef"],
    "<alloc::vec::Vec as core::ops::Drop>::drop": ["<alloc::vec::Vec<T,A> as core::ops::Drop>::drop"],
    "app::run::{{closure}}": ["app::run::{{closure}}::{{closure}}", "app::run::{closure#0}"],
    "{anonymous}::Foo::bar": ["(anonymous namespace)::Foo::bar(int)", "`anonymous namespace'::Foo::bar"],
    "ns::bar::{lambda}::operator()": [
        "ns::bar()::{lambda(int)#2}::operator()(int) const", "ns::bar()::$_0::operator()()",
    ],
    "-[Foo bar:]_block_invoke": ["__42-[Foo bar:]_block_invoke_2", "-[Foo bar:]_block_invoke"],
    "main.*Server.handle": ["main.(*Server).handle", "main.(*Server[go.shape.int]).handle"],
    "main.main.func": ["main.main.func1.2", "main.main.func3"],
    "com.foo.Bar$$Lambda.run": ["com.foo.Bar$$Lambda$14/0x0000000800c0.run"],
    "Object.{anonymous}": ["Object.<anonymous> (/srv/app.js:10:2)"],
    "app::Foo::run": ["_ZN3app3Foo3runEv", "_ZNK3app3Foo3runEi", "__ZN3app3Foo3runEv"],
    "app::Foo::~Foo": ["_ZN3app3FooD2Ev"],
    "parse": ["_Z5parsePKc"],
    "core::panicking::panic": ["_ZN4core9panicking5panic17h0123456789abcdefE"],
    "_ZN3FooIiE3barEv": ["_ZN3FooIiE3barEv"],
    "handle": ["Builtin:~handle /app/x.js:10:2", "LazyCompile:*handle /app/x.js:10:2", "async handle"],
    "": ["", "??", "?? ()", "0x7fffdeadbeef", "sub_14000abcd", "<unknown>", None],
}  # fmt: skip


def pairs(names):
    return [(text, name) for name, texts in names.items() for text in texts]


@pytest.mark.parametrize(("text", "name"), pairs(MODULES))
def test_a_module_is_told_by_its_name_alone(text, name):
    assert module_name(text) == name


@pytest.mark.parametrize(("text", "name"), pairs(FUNCTIONS))
def test_a_function_is_told_by_its_name_alone(text, name):
    assert function_name(text) == name


def test_a_driver_without_its_extension_is_the_driver():
    assert module_name("CSAgent", windows_kernel=True) == "csagent.sys"
    assert module_name("CSAgent") == "csagent"


@given(st.text() | st.text("<>()[]{}:!+.,*&' aoperator0x1f~$@#"))
def test_any_text_has_a_short_name(text):
    for name in (module_name(text), function_name(text)):
        assert len(name) <= MAX_NAME_LENGTH
        assert name == name.strip()


def test_a_name_of_a_megabyte_is_cut():
    assert len(function_name("f" * 1_000_000)) == MAX_NAME_LENGTH
    assert function_name("f<" * 400_000).startswith("f")


@pytest.mark.parametrize(
    "suffix",
    [
        ".cold", ".cold.1", ".isra.0.1", ".constprop.0", ".part.0", ".llvm.123", ".lto_priv.0", ".cfi_jt", ".cfi",
        ".warm", " [clone .cold]", "$variant", "$variantvariant", "$a_variant_variant", "@plt", "@@GLIBC_2.14",
        "@A_1_1.1", " (.cold)", " (.cold.1)", "_block_invoke_1", "_1", ":1", "::{closure#0}", "lambda_1", " const",
        " &&",
    ],
)  # fmt: skip
def test_a_name_of_many_suffixes_is_read_at_once(suffix):
    for ending in ("", "x y", "!", ".", "$"):
        assert len(function_name("a" + suffix * 40 + ending)) <= MAX_NAME_LENGTH
    assert function_name("a" + ".cold" * 40) == "a"


@given(st.text(max_size=60))
def test_a_name_can_be_shown_whatever_it_is_made_of(text):
    for name in (module_name(text), function_name(text)):
        assert name.isprintable()
    hidden = "\x1b[2J\u202e\x9b"
    assert (module_name(f"ev{hidden}il.so"), function_name(f"r{hidden}un")) == ("ev[2jil.so", "r[2Jun")
