//! The functions of `wasi_snapshot_preview1`.
//!
//! [`FUNCTIONS`] is the list; each row names the Rust function that does the work, in a module
//! for each group of names. Such a function gets the guest's context, its memory and the
//! arguments as numbers, and returns an `errno` or ends the guest.
//!
//! A module that calls them exports its memory as `memory`.

mod args;
mod clock;
mod fd;
mod path;
mod poll;
mod proc;
mod random;
mod sock;

use crate::clocks::Clocks;
use crate::ctx::WasiCtx;
use crate::errno::{Failure, Outcome};
use crate::fd_table::{Descriptor, FdTable};
use crate::guest_mem::GuestMem;
use crate::random::Random;
use crate::types::Errno;
use tenure::{Caller, Extern, Linker, Module};

/// The module that guests import from.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// What the functions of one guest work on: its descriptors, arguments, clocks.
///
/// Lives in the `T` of the guest's `Store<T>`. Made by
/// [`WasiCtxBuilder::build_p1`](crate::WasiCtxBuilder::build_p1).
pub struct WasiP1Ctx {
    args: Vec<String>,
    env: Vec<String>,
    clocks: Clocks,
    random: Random,
    fds: FdTable,
}

impl WasiP1Ctx {
    /// The streams and directories of `ctx` become descriptors 0, 1, 2, and 3 and up.
    pub fn new(ctx: WasiCtx) -> Self {
        let WasiCtx { args, env, stdin, stdout, stderr, preopens, clocks, random } = ctx;
        let mut fds = FdTable::default();
        let streams =
            [Descriptor::input(stdin), Descriptor::output(stdout), Descriptor::output(stderr)].into_iter();
        let dirs = preopens.into_iter().map(|(dir, name)| Descriptor::preopened(dir, name));
        for descriptor in streams.chain(dirs) {
            fds.push(descriptor)
                .expect("the builder takes `MAX_PREOPENS` directories, for which there is room");
        }
        Self { args, env, clocks, random, fds }
    }
}

/// One function that guests can import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name in [`MODULE`].
    pub name: &'static str,
    /// Its parameters in order: their names, and `u32`, `u64` or `i64`.
    pub params: &'static [(&'static str, &'static str)],
    /// Whether it returns an `errno`; if not it returns nothing, if at all.
    pub returns_errno: bool,
}

/// Declares the functions: `name(params) -> errno = where it is done`.
macro_rules! functions {
    ($($name:ident($($param:ident: $ty:ident),*) -> $result:ident = $group:ident::$function:ident;)*) => {
        /// Every function of preview 1, in the order of its description.
        pub const FUNCTIONS: &[Function] = &[$(Function {
            name: stringify!($name),
            params: &[$((stringify!($param), stringify!($ty))),*],
            returns_errno: returns!($result),
        }),*];

        /// Defines every function of preview 1 in `linker`.
        ///
        /// `get` finds the context in the store's data.
        ///
        /// # Errors
        /// If one of the names is defined already and `linker` does not allow shadowing.
        pub fn add_to_linker_sync<T: 'static>(
            linker: &mut Linker<T>,
            get: impl Fn(&mut T) -> &mut WasiP1Ctx + Copy + Send + Sync + 'static,
        ) -> tenure::Result<()> {
            add(linker, get, |_| true)
        }

        /// Defines the functions of preview 1 whose names are `wanted`.
        fn add<T: 'static>(
            linker: &mut Linker<T>,
            get: impl Fn(&mut T) -> &mut WasiP1Ctx + Copy + Send + Sync + 'static,
            wanted: impl Fn(&str) -> bool,
        ) -> tenure::Result<()> {
            $(if wanted(stringify!($name)) {
                linker.func_wrap(
                    MODULE,
                    stringify!($name),
                    move |mut caller: Caller<'_, T>, $($param: $ty),*| -> tenure::Result<returns!(type $result)> {
                        enter(&mut caller, get, |ctx, mem| $group::$function(ctx, mem, $($param),*))
                            .map(|errno| returns!($result errno))
                    },
                )?;
            })*
            Ok(())
        }
    };
}

/// What the result column of a row means.
macro_rules! returns {
    (errno) => {
        true
    };
    (nothing) => {
        false
    };
    (type errno) => {
        u32
    };
    (type nothing) => {
        ()
    };
    (errno $errno:ident) => {
        u32::from($errno as u16)
    };
    (nothing $errno:ident) => {{
        let _: Errno = $errno;
    }};
}

functions! {
    args_get(argv: u32, argv_buf: u32) -> errno = args::args_get;
    args_sizes_get(argc: u32, argv_buf_size: u32) -> errno = args::args_sizes_get;
    environ_get(environ: u32, environ_buf: u32) -> errno = args::environ_get;
    environ_sizes_get(count: u32, environ_buf_size: u32) -> errno = args::environ_sizes_get;
    clock_res_get(id: u32, resolution: u32) -> errno = clock::res_get;
    clock_time_get(id: u32, precision: u64, time: u32) -> errno = clock::time_get;
    fd_advise(fd: u32, offset: u64, len: u64, advice: u32) -> errno = fd::advise;
    fd_allocate(fd: u32, offset: u64, len: u64) -> errno = fd::allocate;
    fd_close(fd: u32) -> errno = fd::close;
    fd_datasync(fd: u32) -> errno = fd::datasync;
    fd_fdstat_get(fd: u32, stat: u32) -> errno = fd::fdstat_get;
    fd_fdstat_set_flags(fd: u32, flags: u32) -> errno = fd::fdstat_set_flags;
    fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) -> errno = fd::fdstat_set_rights;
    fd_filestat_get(fd: u32, stat: u32) -> errno = fd::filestat_get;
    fd_filestat_set_size(fd: u32, size: u64) -> errno = fd::filestat_set_size;
    fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, flags: u32) -> errno = fd::filestat_set_times;
    fd_pread(fd: u32, iovs: u32, count: u32, offset: u64, nread: u32) -> errno = fd::pread;
    fd_prestat_get(fd: u32, prestat: u32) -> errno = fd::prestat_get;
    fd_prestat_dir_name(fd: u32, path: u32, path_len: u32) -> errno = fd::prestat_dir_name;
    fd_pwrite(fd: u32, iovs: u32, count: u32, offset: u64, nwritten: u32) -> errno = fd::pwrite;
    fd_read(fd: u32, iovs: u32, count: u32, nread: u32) -> errno = fd::read;
    fd_readdir(fd: u32, buf: u32, buf_len: u32, cookie: u64, used: u32) -> errno = fd::readdir;
    fd_renumber(fd: u32, to: u32) -> errno = fd::renumber;
    fd_seek(fd: u32, offset: i64, whence: u32, position: u32) -> errno = fd::seek;
    fd_sync(fd: u32) -> errno = fd::sync;
    fd_tell(fd: u32, position: u32) -> errno = fd::tell;
    fd_write(fd: u32, iovs: u32, count: u32, nwritten: u32) -> errno = fd::write;
    path_create_directory(fd: u32, path: u32, path_len: u32) -> errno = path::create_directory;
    path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, stat: u32) -> errno = path::filestat_get;
    path_filestat_set_times(fd: u32, lookup: u32, path: u32, path_len: u32, atim: u64, mtim: u64, flags: u32)
        -> errno = path::filestat_set_times;
    path_link(old_fd: u32, flags: u32, old_path: u32, old_len: u32, new_fd: u32, new_path: u32, new_len: u32)
        -> errno = path::link;
    path_open(fd: u32, lookup: u32, path: u32, path_len: u32, oflags: u32, base: u64, inheriting: u64,
        fdflags: u32, opened: u32) -> errno = path::open;
    path_readlink(fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, used: u32) -> errno = path::readlink;
    path_remove_directory(fd: u32, path: u32, path_len: u32) -> errno = path::remove_directory;
    path_rename(old_fd: u32, old_path: u32, old_len: u32, new_fd: u32, new_path: u32, new_len: u32)
        -> errno = path::rename;
    path_symlink(content: u32, content_len: u32, fd: u32, path: u32, path_len: u32) -> errno = path::symlink;
    path_unlink_file(fd: u32, path: u32, path_len: u32) -> errno = path::unlink_file;
    poll_oneoff(subscriptions: u32, events: u32, count: u32, happened: u32) -> errno = poll::oneoff;
    proc_exit(status: u32) -> nothing = proc::exit;
    proc_raise(signal: u32) -> errno = proc::raise;
    sched_yield() -> errno = proc::sched_yield;
    random_get(buf: u32, buf_len: u32) -> errno = random::get;
    sock_accept(fd: u32, flags: u32, accepted: u32) -> errno = sock::accept;
    sock_recv(fd: u32, iovs: u32, count: u32, flags: u32, nread: u32, result_flags: u32) -> errno = sock::recv;
    sock_send(fd: u32, iovs: u32, count: u32, flags: u32, nwritten: u32) -> errno = sock::send;
    sock_shutdown(fd: u32, how: u32) -> errno = sock::shutdown;
}

/// Defines the functions of preview 1 that `module` imports, in `linker`: a linker that is for one module needs no
/// others, and is made sooner without.
///
/// `get` finds the context in the store's data.
///
/// ```
/// use tenure::{Engine, Linker, Module, Store};
/// use tenure_wasi::{WasiCtxBuilder, p1};
///
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"
///     (module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))))"#)?;
/// let mut linker = Linker::new(&engine);
/// p1::add_imports_to_linker_sync(&mut linker, &module, |wasi| wasi)?;
/// let mut store = Store::new(&engine, WasiCtxBuilder::new().build_p1());
/// linker.instantiate(&mut store, &module)?;
/// assert!(linker.get(&mut store, p1::MODULE, "fd_write").is_err());
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Errors
/// As [`add_to_linker_sync`].
pub fn add_imports_to_linker_sync<T: 'static>(
    linker: &mut Linker<T>,
    module: &Module,
    get: impl Fn(&mut T) -> &mut WasiP1Ctx + Copy + Send + Sync + 'static,
) -> tenure::Result<()> {
    let names: Vec<_> =
        module.imports().filter(|import| import.module() == MODULE).map(|import| import.name()).collect();
    add(linker, get, |name| names.contains(&name))
}

/// Runs `function` on the caller's memory and context.
fn enter<T: 'static>(
    caller: &mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiP1Ctx,
    function: impl FnOnce(&mut WasiP1Ctx, &mut GuestMem<'_>) -> Outcome,
) -> tenure::Result<Errno> {
    let Some(memory) = caller.get_export("memory").and_then(Extern::into_memory) else {
        tenure::bail!("a module that calls {MODULE} must export its memory as `memory`");
    };
    let (bytes, data) = memory.data_and_store_mut(&mut *caller);
    match function(get(data), &mut GuestMem::new(bytes)) {
        Ok(()) => Ok(Errno::Success),
        Err(Failure::Errno(errno)) => Ok(errno),
        Err(Failure::Trap(error)) => Err(error),
    }
}
