"""Stack traces that are text, in the forms in which languages and debuggers write them."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Frame, Shape, sign
from ingest.formats import stacks
from ingest.formats.crashes import MOST_FRAMES
from tests.ingest.effort import costs_at_most

PYTHON = """
    Traceback (most recent call last):
      File "/srv/agent/store.py", line 3, in save
        write()
    OSError: disk

    During handling of the above exception, another exception occurred:

    Traceback (most recent call last):
      File "/srv/agent/main.py", line 9, in <module>
        run()
        ~~~^^
      File "/usr/lib/python3/site-packages/scan/engine.py", line 41, in run
        raise ValueError("x")
    ValueError: x
"""
LUA = """
    lua: /srv/shop/lib/cart.lua:12: no price
    stack traceback:
    \t[C]: in function 'error'
    \t/srv/shop/lib/cart.lua:12: in method 'sum'
    \t/srv/shop/lib/cart.lua:30: in function </srv/shop/lib/cart.lua:28>
    \t[C]: in function 'pcall'
    \t/srv/shop/main.lua:4: in main chunk
    \t[C]: in ?
"""
JAVA = """
    Exception in thread "main" java.lang.RuntimeException: at last: (x)
    \tat java.base/java.util.ArrayList.get(ArrayList.java:427)
    \tat com.example.Main$Inner.lambda$run$0(Main.java:13)
    \tat com.example.Main.<init>(Unknown Source)
    \tat app//com.example.Main.main(Main.java)
    Caused by: java.io.IOException
    \tat com.example.Disk.read(Disk.java:1)
    \t... 3 more
"""
DOTNET = """
    System.NullReferenceException: Object reference not set to an instance of an object.
       at Agent.Scan.Engine.Run(String path, Int32 depth) in C:\\src\\Engine.cs:line 31
       at Agent.Program.Main()
"""
NODE = """
    TypeError: Cannot read properties of undefined (reading 'x')
        at Scanner.scan (/srv/agent/lib/scan.js:3:9)
        at async Promise.all (index 0)
        at async run (file:///srv/agent/main.mjs:7:1)
        at new Agent (C:\\agent\\index.js:1:2)
        at /srv/agent/node_modules/queue/index.js:10:5
        at node:internal/main/run_main_module:28:49
"""
COREDUMP = """
    Process 7 (scan) of user 0 dumped core.

    Stack trace of thread 22601:
    #0  0x000055a00bf4a139 main (/opt/x/scan + 0x1139)
    #1  0x00007f34f7fc3ca8 n/a (libc.so.6 + 0x29ca8)
    #2  0x0000000000000000 n/a (n/a + 0x0)

    Stack trace of thread 22602:
    #0  0x00007f34f7fc3d65 poll (libc.so.6 + 0x29d65)
"""
SANITIZER = """
    ==7==ERROR: AddressSanitizer: heap-use-after-free
        #0 0x4f8e21 in scan(char const*, int) /src/scan.cc:12:3
        #1 0x7f1122 in start /lib/libc.so.6
        #2 0x4f8e30  (/opt/x/scan+0x4f8e30)
"""
OLD_COREDUMP = """
    Process 31 (relay) of user 990 dumped core.

    Stack trace of thread 31:
    #0  0x00007f8c0d3a5e10 raise (libc.so.6)
    #1  0x00007f8c0d3a7214 abort (libc.so.6)
    #2  0x0000000000400526 queue::push(int, queue::item*) (relay)
    #3  0x00007f8c0d391555 n/a (/usr/lib64/libev.so.4)
"""
DEBUGGER = """
    #0  __GI_raise (sig=sig@entry=6) at ../sysdeps/unix/sysv/linux/raise.c:50
    #1  0x00007ffff7a4e859 in __GI_abort () at abort.c:79
    #2  0x00007ffff7e29a31 in ?? () from /lib/x86_64-linux-gnu/libstdc++.so.6
    #3  <signal handler called>
    #4  0x000000000048a45c in (anonymous namespace)::open (all=std::vector of length 9 = {...}, k=u"x) at") at a.cc:3
    #5  std::function<void ()>::operator() (this=0x0) at /usr/include/std_function.h:590
    #6  relay::push (this=0x7ffe, item=...,
        count=3) at /src/relay.cc:9
    #7  relay::run (this=0x7ffe)
        at /src/relay.cc:12
    #8  0x00007f34f7fc3ca8 in g_main_loop_run ()
       from /usr/lib/libglib-2.0.so.0
    #9  0x00007f34f7fc3cb9 in  () at /usr/lib/librelay.so.3
"""
BROKEN = """
    #0  relay::Ring<std::shared_ptr<relay::Item>, std::allocator<relay::Item> >::push (
        this=0x0, item=..., key="of, a key",
        count=3) at /src/ring.cc:9
    #1  0x00007ffff7a4e859 in relay::flush(relay::Item*) [clone .part.0] (
        item=0x7ffe)
        at /src/flush.cc:12
    #2  0x00007ffff7e29a31 in relay::run (
        self=0x7ffe) from /opt/librelay.so
        at noon
    #3  0x00007ffff7e29b42 in relay::main (
"""
DELETED = "#0 0x00007f5a3c0a1236 flush (/opt/My Relay/relay (deleted) + 0x22)"
ANDROID = """
    #00 pc 0000000000062f48  /data/app/~~x==/com.acme-y==/lib/arm64/librelay.so (BuildId: 00dce9ad)
    #01 pc 0000000000062f4c  /data/app/~~x==/com.acme-y==/lib/arm64/librelay.so (push+4) (BuildId: 00dce9ad)
"""
ON_WINDOWS = """
    #0 0x7ff66697003b in std::_Func<`run'::`2'::<lambda_1>>::call C:\\Program Files\\VC 14\\include\\functional:874
    #1 0x7ffac14089a0 in DispatchMessageW+0x740 (C:\\Windows\\System32\\USER32.dll+0x180a)
"""
BUILD_ID = "    #0 0x4f8a5f in main (/usr/bin/relay+0x1f) (BuildId: 0a1b2c)"
SHRUNK = """
    java.lang.NullPointerException: x
    \tat b4.c.a(SourceFile:23)
    \tat b4.c.b(Unknown Source:2)
    \tat b4.d.<clinit>(r8-map-id-0123456789abcdef:12)
    \tat b4.e.run(:7)
    \tat android.os.Handler.dispatchMessage(Handler.java:106)
"""
KOTLIN = """
    java.lang.IllegalStateException: no layout
    \tat app.feed.FeedNode.measure-BRTryo0(FeedNode.kt:10)
    \tat app.feed.Size.constructor-impl(Size.kt:3)
    \tat app.io.-Util.check(-Util.kt:24)
    \tat app.feed.FeedKt$load$1.invokeSuspend(Feed.kt:5)
"""
LOGBACK = """
    java.lang.IllegalStateException: x
    \tat app//shop.Cart.lambda$sum$0(Cart.java:13) ~[shop-1.0.jar:1.0]
    \tat shop.Cart$$Lambda$14/0x0000000800066840.get(Unknown Source) ~[?:?]
    \tat shop.Main$$Lambda/0x00007f1c04001000.run(Unknown Source) [classes/:na]
    \tat java.base@17.0.1/java.lang.Thread.run(Thread.java:833) [?:?]
    \tSuppressed: java.io.IOException: y
    \t\tat shop.Till.close(Till.java:3)
"""
GENERIC = """
    System.InvalidOperationException: x
       at Shop.Store`1.Get[T,K](T key, Dictionary`2 all) in C:\\src dir\\Store.cs:line 3
       at Shop.Service.<Run>g__Local|0_0(String x) in /src/Service.cs:line 12
       at Shop.Cart..ctor(Int32[,] sizes)
       at Shop.Cart.<.ctor>b__1_0(Object sender)
       at Shop.Cart.System.Collections.Generic.IEnumerable<System.String>.GetEnumerator()
       at Shop.Program.Main(String[] args)
"""
MONO = """
    System.NullReferenceException: x
      at Game.Player.Update () [0x00012] in <0123456789abcdef0123456789abcdef>:0
      at Game.Loop.Run (System.Single step, System.Int32 n) [0x00000] in /src/Loop.cs:12
"""
MONO_OLD = """
    System.DllNotFoundException: librelay.so
      at (wrapper managed-to-native) Game.Sound:play_it (intptr,int)
      at Game.Player.Update () [0x00012]
      at Game.Loop.Run (System.Single step, System.Int32 n) [0x00000]
"""
GERMAN = """
    System.InvalidOperationException: Fehler
       bei Shop.Cart.Sum(String name) in C:\\src\\Cart.cs:Zeile 12.
       bei Shop.Program.Main(String[] args)
"""
FRENCH = """
    System.InvalidOperationException: Erreur
       à Shop.Cart.Sum(String name) dans C:\\src\\Cart.cs:ligne 12
       à Shop.Program.Main()
"""
SPANISH = """
    System.InvalidOperationException: Error
       en Shop.Cart.Sum(String name) en C:\\src\\Cart.cs:línea 12
"""
POLISH = """
    System.InvalidOperationException
       w Shop.Cart.Sum(System.String, Int32, System.Object[])
       w Shop.Program.Main(System.String[])
"""
CALLED_WITH_TYPES = """
    System.InvalidOperationException: x
       at Shop.Cart.Sum[[System.__Canon, mscorlib, Version=4.0.0.0, Culture=neutral]](System.String)
       at Shop.List`1[[Shop.Pair`2[[System.Int32, mscorlib],[Shop.Item, Shop]], Shop]].Add(Shop.Item)
"""
ITALIAN = """
    System.InvalidOperationException: Errore
       in Shop.Cart.Sum(String name) in C:\\src\\Cart.cs:riga 12
"""
DESKTOP = """
    TypeError: x
        at open (C:\\Program Files (x86)\\Shop\\app\\main.js:3:9)
        at Object.<anonymous> (/Applications/My Shop.app/Contents/Resources/app.asar/start.js:1:1)
        at C:\\Program Files (x86)\\Shop\\index.js:1:1
        at async /srv/shop/run.mjs:7:1
        at eval (eval at load (/srv/shop/plugin.js:1:2), <anonymous>:1:1)
        at Array.map (<anonymous>)
        at Module._compile (node:internal/modules/cjs/loader:1105:14)
"""
BUILTIN_FIRST = """
    SyntaxError: Unexpected end of JSON input
        at JSON.parse (<anonymous>)
        at load (/srv/shop/config.js:4:9)
"""
HERMES = """
    TypeError: undefined is not a function
        at render (address at index.android.bundle:1:2345)
        at apply (native)
        at anonymous (address at /data/user/0/shop/main.jsbundle:1:9)
"""
FIREFOX = """
    render@https://shop.example/static/main.js?v=3:3:9
    async*load/</<@https://shop.example/npm/react@18/lazy.js:10:1
    map@[native code]
    @https://shop.example/static/main.js:12:1
    global code@https://shop.example/cart/:2:3
"""
RUST = """
    thread 'main' panicked at src/cart.rs:4:5:
    index out of bounds
    stack backtrace:
       0: rust_begin_unwind
                 at /rustc/0a1b2c/library/std/src/panicking.rs:645:5
       1: core::panicking::panic_fmt
                 at /rustc/0a1b2c/library/core/src/panicking.rs:72:14
       2: shop::cart::sum::{{closure}}
                 at ./src/cart.rs:4:5
       3: <alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once
       4: main
    note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
"""
RUST_FULL = """
       0:     0x55d0c7e0f3a5 - __rustc[4794b31dd7191200]::rust_begin_unwind
       1:     0x55d0c7e0f3b5 - shop[0a1b2c3d4e5f6071]::cart::sum
                                   at /src/cart.rs:4:5
                               shop::cart::all
                                   at /src/cart.rs:9:1
       2:     0x7f0000001000 - <unknown>
"""
RUST_ERROR = """
    Error: no config

    Caused by:
        0: timeout
        1: No such file or directory (os error 2)

    Stack backtrace:
       0: shop::config::read
       1: main
"""
GO = """
panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
shop/cart.(*Cart).Sum(0xc000010000, {0x1, 0x2})
\t/src/shop/cart/cart.go:42 +0x1d
main.each[...](...)
\t/src/shop/main.go:12
main.(*shelf).each(...)
\t<autogenerated>:1 +0x1b
created by main.main in goroutine 1
\t/src/shop/main.go:9 +0x25

goroutine 18 [select]:
main.wait()
\t/src/shop/wait.go:3 +0x1
exit status 2
"""
GO_FAILED = """
goroutine 33 gp=0xc0000061c0 m=1 mp=0xc000080008 [running]:
runtime.throw({0x26389e0?, 0x2a?})
    /usr/local/go/src/runtime/panic.go:547 +0x90 fp=0xc820023e28 sp=0xc820023e10 pc=0x41326c
main.run()
    /src/shop/main.go:12 +0x5a fp=0xc820023e78 sp=0xc820023e28 pc=0x41326e
"""
GO_IN_C = """
fatal error: unexpected signal during runtime execution
[signal SIGSEGV: segmentation violation code=0x1 addr=0xe5 pc=0x7fa5502d43f8]

runtime stack:
runtime.throw(0x19aa803, 0x2a)
\t/usr/local/go/src/runtime/panic.go:566 +0x95
runtime.sigpanic()
\t/usr/local/go/src/runtime/sigpanic_unix.go:12 +0x2cc

goroutine 24 [syscall, 2 minutes, locked to thread]:
runtime.cgocall(0x14d9760, 0xc421f5e108, 0x0)
\t/usr/local/go/src/runtime/cgocall.go:131 +0x110 fp=0xc421f5e0b8 sp=0xc421f5e078
shop/scale._Cfunc_weigh(0x0, 0xc4209dccf0)
\t??:0 +0x68 fp=0xc421f5e108 sp=0xc421f5e0b8
created by shop/scale.Start
\t/src/shop/scale.go:9 +0x25

goroutine 1 [running]:
main.wait()
\t/src/shop/wait.go:3 +0x1
"""
GO_RECOVERED = """
goroutine 7 [running]:
runtime/debug.Stack()
\t/usr/local/go/src/runtime/debug/stack.go:24 +0x5e
main.guard.func1()
\t/src/shop/guard.go:12 +0x2a
panic({0x4a5, 0xc0})
\t/usr/local/go/src/runtime/panic.go:884 +0x212
main.serve(...)
\t/src/shop/serve.go:4
"""
GO_ERROR = """
no config
main.read
\t/src/shop/config.go:12
main.main
\t/src/shop/main.go:5
"""
PHP = """
    PHP Fatal error:  Uncaught RuntimeException: boom: (x) in /srv/shop/src/Cart.php:34
    Stack trace:
    #0 /srv/shop/src/Till.php(12): Shop\\Cart->sum('a: (b)', Array)
    #1 [internal function]: Shop\\Till->Shop\\{closure}(1)
    #2 /srv/shop/index.php(3): array_map(Object(Closure), Array)
    #3 {main}
      thrown in /srv/shop/src/Cart.php on line 34
"""
RUBY = """
    /srv/shop/lib/cart.rb:12:in `block (2 levels) in sum': boom: x (RuntimeError)
    \tfrom <internal:kernel>:187:in `loop'
    \tfrom /srv/shop/lib/till.rb:7:in 'Till#close'
    \tfrom bin/shop:3:in `<main>'
    /srv/shop/lib/disk.rb:2:in `read': gone (IOError)
    \tfrom /srv/shop/lib/cart.rb:9:in `sum'
"""
RUBY_NUMBERED = """
    Traceback (most recent call last):
    \t2: from /srv/shop/main.rb:9:in `<main>'
    \t1: from /srv/shop/main.rb:6:in `run'
    /srv/shop/lib/cart.rb:2:in `sum': boom (RuntimeError)
"""


@pytest.mark.parametrize(
    ("said", "frames"),
    [
        (PYTHON, [("scan/engine.py", "run", None), ("agent/main.py", "<module>", None)]),
        (
            JAVA,
            [
                ("java.util.ArrayList", "get", None),
                ("com.example.Main$Inner", "lambda$run$0", None),
                ("com.example.Main", "<init>", None),
                ("com.example.Main", "main", None),
            ],
        ),
        (DOTNET, [("Agent.Scan.Engine", "Run", None), ("Agent.Program", "Main", None)]),
        (
            NODE,
            [
                ("lib/scan.js", "Scanner.scan", None),
                ("agent/main.mjs", "run", None),
                ("agent/index.js", "Agent", None),
                ("queue/index.js", None, None),
                ("node:internal/main/run_main_module", None, None),
            ],
        ),
        (COREDUMP, [("scan", "main", 0x1139), ("libc.so.6", None, 0x29CA8), (None, None, 0)]),
        (
            SANITIZER,
            [(None, "scan(char const*, int)", None), (None, "start /lib/libc.so.6", None), ("scan", None, 0x4F8E30)],
        ),
        (
            OLD_COREDUMP,
            [
                ("libc.so.6", "raise", None),
                ("libc.so.6", "abort", None),
                ("relay", "queue::push(int, queue::item*)", None),
                ("libev.so.4", None, None),
            ],
        ),
        (
            DEBUGGER,
            [
                (None, "__GI_raise", None),
                (None, "__GI_abort", None),
                ("libstdc++.so.6", None, None),
                (None, "<signal handler called>", None),
                (None, "(anonymous namespace)::open", None),
                (None, "std::function<void ()>::operator()", None),
                (None, "relay::push", None),
                (None, "relay::run", None),
                ("libglib-2.0.so.0", "g_main_loop_run", None),
                ("librelay.so.3", None, None),
            ],
        ),
        (
            BROKEN,
            [
                (None, "relay::Ring<std::shared_ptr<relay::Item>, std::allocator<relay::Item> >::push", None),
                (None, "relay::flush(relay::Item*) [clone .part.0]", None),
                ("librelay.so", "relay::run", None),
                (None, "relay::main", None),
            ],
        ),
        (DELETED, [("relay", "flush", 0x22)]),
        (ANDROID, [("librelay.so", None, 0x62F48), ("librelay.so", "push", 0x62F4C)]),
        (
            ON_WINDOWS,
            [(None, "std::_Func<`run'::`2'::<lambda_1>>::call", None), ("USER32.dll", "DispatchMessageW", 0x180A)],
        ),
        (BUILD_ID, [("relay", "main", 0x1F)]),
        ("#0 0x4f8e21 in scan (argc)", [(None, "scan (argc)", None)]),
        ("#0 0x4f8e21 in scan /src/relay/scan.cc:12 (discriminator 3)", [(None, "scan", None)]),
        ("#0 0x4f8e21 in scan(int) ??:?\n#1 0x4f8e31 in ?? ??:0", [(None, "scan(int)", None), (None, None, None)]),
        ("#0 0x4f8e21 in scan\n#1 0x4f8e31 in work relay-loop.cc", [(None, "scan", None), (None, "work", None)]),
        ("#0 scan <null> (relay+0x1f)\n#1 <null> <null> (relay+0x2f)", [("relay", "scan", 31), ("relay", None, 47)]),
        (
            "#0 0x4f8e21 in scan(char*,\nint)\n/src/scan.cc:12:3\n#1 0x4f8e31 in\nstart /src/a.cc:2\n"
            "#2 0x4f8e41 in main\nRest of it /src/b.cc:9\n",
            [(None, "scan(char*, int)", None), (None, "start", None), (None, "main", None)],
        ),
        ("", []),
        ("disk full at 04:10", []),
        ("at home (with 3 cats)", []),
    ],
)
def test_frames_come_innermost_first(said, frames):
    found = stacks.read(dedent(said).replace("\n", "\r\n") if said == NODE else dedent(said))
    assert [(one.module, one.function, one.offset) for one in found.frames] == frames


@pytest.mark.parametrize(
    ("said", "frames"),
    [
        (
            SHRUNK,
            ["b4.c a", "b4.c b", "b4.d <clinit>", "b4.e run", "android.os.Handler dispatchMessage"],
        ),
        (
            KOTLIN,
            [
                "app.feed.FeedNode measure-BRTryo0",
                "app.feed.Size constructor-impl",
                "app.io.-Util check",
                "app.feed.FeedKt$load$1 invokeSuspend",
            ],
        ),
        (
            LOGBACK,
            ["shop.Cart lambda$sum$0", "shop.Cart$$Lambda get", "shop.Main$$Lambda run", "java.lang.Thread run"],
        ),
        (
            GENERIC,
            [
                "Shop.Store`1 Get",
                "Shop.Service <Run>g__Local|0_0",
                "Shop.Cart .ctor",
                "Shop.Cart <.ctor>b__1_0",
                "Shop.Cart.System.Collections.Generic.IEnumerable<System.String> GetEnumerator",
                "Shop.Program Main",
            ],
        ),
        (MONO, ["Game.Player Update", "Game.Loop Run"]),
        (MONO_OLD, ["Game.Sound play_it", "Game.Player Update", "Game.Loop Run"]),
        (GERMAN, ["Shop.Cart Sum", "Shop.Program Main"]),
        (FRENCH, ["Shop.Cart Sum", "Shop.Program Main"]),
        (SPANISH, ["Shop.Cart Sum"]),
        (ITALIAN, ["Shop.Cart Sum"]),
        (POLISH, ["Shop.Cart Sum", "Shop.Program Main"]),
        (CALLED_WITH_TYPES, ["Shop.Cart Sum", "Shop.List`1 Add"]),
    ],
)
def test_no_frame_of_java_kotlin_or_dotnet_is_left_out(said, frames):
    assert named(said) == frames


@pytest.mark.parametrize(
    ("said", "frames"),
    [
        (
            DESKTOP,
            [
                "app/main.js open",
                "app.asar/start.js Object.<anonymous>",
                "Shop/index.js ",
                "shop/run.mjs ",
                "shop/plugin.js eval",
                "node:internal/modules/cjs/loader Module._compile",
            ],
        ),
        (BUILTIN_FIRST, ["shop/config.js load"]),
        (HERMES, ["index.android.bundle render", "shop/main.jsbundle anonymous"]),
        (
            FIREFOX,
            ["static/main.js?v=3 render", "react@18/lazy.js load", "static/main.js ", "cart/ global code"],
        ),
        (PHP, ["src/Cart.php Shop\\Cart->sum", "src/Till.php Shop\\Till->Shop\\{closure}", " array_map",
               "shop/index.php {main}"]),
        (RUBY, ["lib/cart.rb sum", "lib/till.rb Till#close", "bin/shop <main>"]),
        (RUBY_NUMBERED, ["lib/cart.rb sum", "shop/main.rb run", "shop/main.rb <main>"]),
        (LUA, ["lib/cart.lua sum", "lib/cart.lua ", " pcall", "shop/main.lua main chunk", " "]),
        (re.sub(r"/srv/\S*/", "", LUA), ["cart.lua sum", "cart.lua ", " pcall", "main.lua main chunk", " "]),
    ],
)  # fmt: skip
def test_frames_of_scripts(said, frames):
    assert named(said) == frames


@pytest.mark.parametrize(
    ("said", "frames"),
    [
        (
            RUST,
            [
                " rust_begin_unwind",
                " core::panicking::panic_fmt",
                " shop::cart::sum::{{closure}}",
                " <alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once",
                " main",
            ],
        ),
        (RUST_FULL, [" __rustc::rust_begin_unwind", " shop::cart::sum", " shop::cart::all", " "]),
        (RUST_ERROR, [" shop::config::read", " main"]),
        (GO_FAILED, [" runtime.throw", " main.run"]),
        (
            GO_IN_C,
            [
                " runtime.throw",
                " runtime.sigpanic",
                " runtime.cgocall",
                " shop/scale._Cfunc_weigh",
                " shop/scale.Start",
            ],
        ),
        (GO_IN_C.replace("syscall, 2 minutes, locked to thread", "select"), [" runtime.throw", " runtime.sigpanic"]),
        (GO, [" shop/cart.(*Cart).Sum", " main.each", " main.(*shelf).each", " main.main"]),
        (GO_RECOVERED, [" runtime.gopanic", " main.serve"]),
        (GO_ERROR, [" main.read", " main.main"]),
    ],
)
def test_frames_of_compiled_languages_name_their_package_and_no_module(said, frames):
    assert named(said) == frames


@pytest.mark.parametrize("said", [GO, GO_FAILED, GO_IN_C, GO_RECOVERED])
def test_a_log_may_lose_gos_tabs(said):
    assert named("\n".join(map(str.lstrip, said.splitlines()))) == named(said)
    assert named("It failed in run\n/src/shop/main.go:12\n") == []


def test_no_function_tells_whose_home_its_source_is_in():
    (frame,) = stacks.read("#0 0x4f8e21 in scan(int) /home/rita/relay/scan.cc:12_*\n").frames
    assert frame.function == "scan(int) ~/relay/scan.cc:12_*"


@pytest.mark.parametrize(
    ("said", "place"),
    [
        (RUST, "shop::cart::sum::{{closure}}"),
        (RUST.replace("shop::cart::sum", "shop::till::open"), "shop::till::open::{{closure}}"),
        (RUST_FULL, "shop::cart::sum"),
        (GO_RECOVERED, "main.serve"),
        (GO_IN_C, "shop/scale._Cfunc_weigh"),
        (OLD_COREDUMP, "relay!queue::push"),
    ],
)
def test_what_throws_and_panics_does_not_decide_a_cluster(said, place):
    frames = tuple(Frame(one.module, one.function, one.offset) for one in stacks.read(dedent(said)).frames)
    assert sign(Shape("linux", "user", frames=frames)).family == f"linux | unknown | {place}"


@pytest.mark.parametrize(
    "line",
    [
        "at 04:10",
        "at 04:10:22",
        "at db.example.com:5432",
        "at connect (db.example.com:5432)",
        "at retry (see /tmp/relay.log:12)",
        "at the end of /tmp/relay.log:12:1",
        "at example.com (port 443)",
        "at example.com(10.0.0.1:443)",
        "at shop.Cart(12 items) and then not",
        "  in example.com (see below)",
        "  in shop.Cart(items)",
        "en shop.Cart(String x)",
        "  at /rustc/0a1b2c/library/std/src/panicking.rs:645:5",
        "  at main (src/main.rs:4:5)",
        "0: open the till\n1: count\n2: close it",
        "0: open\n1: count\n2: close",
        "1: shop::cart\n2: shop::till",
        "2024-07-19 04:10:22 INFO main.go:12 started (in 3 s)",
        "see main.start()\n  it is in /src/main.go, line 12",
        "#1 fixed in /srv/shop(12): thanks",
        "#0 ticket (12): closed (late)",
        "#1 fixed in /srv/shop.c:12: thanks",
        "mail root@relay.example:25:1",
        "cron@relay.example:25:1",
        "INFO ops@https://shop.example/main.js:3:9",
        "ERROR /srv/shop/lib/cart.rb:12:in `sum'",
        "we met at 12:30:in 'the shop'",
    ],
)
def test_prose_and_lines_of_a_log_are_no_frames(line):
    assert named(line) == []


def named(said: str) -> list[str]:
    """The frames of a text, as module and function."""
    return [f"{one.module or ''} {one.function or ''}" for one in stacks.read(dedent(said)).frames]


def test_paths_tell_the_system():
    assert "/srv/agent/main.py" in stacks.read(dedent(PYTHON)).paths
    for said in (DOTNET, GENERIC, GERMAN, FRENCH, SPANISH, ITALIAN, DESKTOP):
        assert stacks.read(dedent(said)).paths[0].startswith("C:\\")
    assert stacks.read(dedent(RUST)).paths[2] == "./src/cart.rs"
    assert stacks.read(dedent(GO)).paths[0] == "/src/shop/cart/cart.go"


@pytest.mark.parametrize(
    "line",
    [
        '  File "a.py", line 3, in run\n',
        "\tat com.example.Main.run(Main.java:3)\n",
        "    at run (/a/main.js:3:1)\n",
        "at " + "a." * 1000 + "\n",
        "at " + "(" * 2000 + "\n",
        "#0 0x" + "f" * 2000 + " in " + "(" * 500 + "\n",
        "#1 0xffff " + "x " * 1000 + "\n",
        "#1 0xffff x" + " " * 1900 + "(y\n",
        "#1 /x" + "(1" * 900 + "\n",
        "#1 x (\n" + "    x=1,\n" * 90,
        "#1 x (\n" + " x=" + "1) at x, " * 200 + ",\n",
        "at a.b(" + "()" * 900 + "\n",
        "   bei a.b() x " + ":a 1" * 450 + "x\n",
        "at x (" + "a/" * 950 + ":1:1)\n",
        "at /" + ":1" * 950 + "x\n",
        "x@" + "a.a/" * 450 + ":1:1\n",
        "a*" * 950 + "@/x:1:1\n",
        "x:" * 900 + ":in 'x\n",
        " " * 1900 + "x\n",
        "0: a::" + "<" * 1900 + "\n",
        "main.run()\n\t" + ".go" * 600 + ":x\n",
        "\t/main.go:1\n",
        "main.run()\n\t/main.go:1\n",
        "/x.rb:1:in 'x'\n",
        "3: from /x.rb:1:in 'x'\n",
        "x@/x.js:1:1\n",
    ],
)
def test_a_stack_without_end_takes_bounded_time_and_frames(line):
    said = "Traceback (most recent call last):\n" * line.startswith("  File") + line * 20_000
    assert len(stacks.read(said).frames) <= MOST_FRAMES
    costs_at_most(100, lambda: stacks.read(said))  # millions, were a pattern to try every way


PIECES = [
    "at ",
    "#0 ",
    "0: ",
    "0x12ab ",
    "f",
    ".",
    "::",
    "(",
    ")",
    "@",
    "'",
    ":in ",
    " + 0x1",
    ":3",
    "\n",
    " ",
    "/a.js",
]


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_no_text_breaks_it(said):
    assert len(stacks.read(said).frames) <= MOST_FRAMES


def test_nets_code_that_was_compiled_ahead_of_time():
    stack = stacks.read(
        "   at Shop.Store.Get(String, Option`1) + 0x12c7\n   at Shop.Program.Main(String[] args) + 0x6\n"
    )
    assert [(one.module, one.function) for one in stack.frames] == [("Shop.Store", "Get"), ("Shop.Program", "Main")]


@pytest.mark.parametrize(
    ("place", "module", "offset"),
    [
        (r"C:\Windows\System32\KERNEL32.DLL+0x180017033", "KERNEL32.DLL", 0x17033),
        (r"C:\Relay\relay.exe+0x140001010", "relay.exe", 0x1010),
        (r"C:\Relay\relay.exe+0x1010", "relay.exe", 0x1010),
        ("/opt/relay/relay+0x140001010", "relay", 0x140001010),
        ("dyld:arm64e+0xfffffffffff6e9d4", "dyld", None),
    ],
)
def test_an_offset_is_from_where_a_module_begins(place, module, offset):
    (frame,) = stacks.read(f"    #0 0x1a2b3c4d5 in start+0x9d4 ({place})").frames
    assert (frame.module, frame.function, frame.offset) == (module, "start", offset)


def test_the_last_frame_of_an_error_with_more_in_it_counts_and_none_of_its_cause():
    said = (
        "Error: connect ECONNREFUSED 127.0.0.1:5432\n"
        "    at open (/srv/relay/db.js:9:3)\n"
        "    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16) {\n"
        "  errno: -111,\n"
        "  [cause]: Error: no route\n"
        "      at route (/srv/relay/net.js:4:1)\n"
        "}\n"
    )
    found = [(frame.module, frame.function) for frame in stacks.read(said).frames]
    assert found == [("relay/db.js", "open"), ("node:net", "TCPConnectWrap.afterConnect [as oncomplete]")]
