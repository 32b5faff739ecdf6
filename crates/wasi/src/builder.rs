//! The builder with which an embedder says what a guest gets.

use crate::cli::{self, StdinStream, StdoutStream};
use crate::clocks::{HostMonotonicClock, HostWallClock};
use crate::ctx::WasiCtx;
use crate::dir::OpenDir;
use crate::fd_table::MAX_PREOPENS;
use crate::p1::WasiP1Ctx;
use crate::perms::Perms;
use crate::random::{Random, Rng};
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// Says what a guest gets.
///
/// A new builder gives a guest nothing: no arguments, no environment, no directories; its input
/// has ended and its output goes nowhere. Clocks and randomness are the host's.
///
/// ```
/// use tenure_wasi::{FsPerms, WasiCtxBuilder};
///
/// # fn main() -> tenure::Result<()> {
/// let ctx = WasiCtxBuilder::new()
///     .args(&["program", "--verbose"])
///     .env("HOME", "/")
///     .inherit_stdio()
///     .preopened_dir(std::env::temp_dir(), "/", FsPerms::ReadOnly)?
///     .build_p1();
/// # drop(ctx);
/// # Ok(())
/// # }
/// ```
pub struct WasiCtxBuilder {
    ctx: WasiCtx,
    built: bool,
}

impl WasiCtx {
    /// The same as [`WasiCtxBuilder::new`].
    pub fn builder() -> WasiCtxBuilder {
        WasiCtxBuilder::new()
    }
}

impl Default for WasiCtxBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl WasiCtxBuilder {
    /// A builder that gives a guest nothing yet.
    pub fn new() -> Self {
        Self { ctx: WasiCtx::new(), built: false }
    }

    /// Appends an argument. By custom the first is the program's name.
    ///
    /// A guest sees what stands before a NUL, if there is one in it.
    pub fn arg(&mut self, arg: impl AsRef<str>) -> &mut Self {
        self.ctx.args.push(arg.as_ref().to_owned());
        self
    }

    /// Appends arguments.
    pub fn args(&mut self, args: &[impl AsRef<str>]) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Appends all arguments of this process, the program's name included. What is not Unicode
    /// in them is replaced.
    pub fn inherit_args(&mut self) -> &mut Self {
        self.ctx.args.extend(std::env::args_os().map(lossy));
        self
    }

    /// Appends an environment variable. A name that comes twice is there twice.
    pub fn env(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> &mut Self {
        self.ctx.env.push(format!("{}={}", name.as_ref(), value.as_ref()));
        self
    }

    /// Appends environment variables.
    pub fn envs(&mut self, vars: &[(impl AsRef<str>, impl AsRef<str>)]) -> &mut Self {
        for (name, value) in vars {
            self.env(name, value);
        }
        self
    }

    /// Appends all environment variables of this process. What is not Unicode in them is replaced.
    pub fn inherit_env(&mut self) -> &mut Self {
        for (name, value) in std::env::vars_os() {
            self.env(lossy(name), lossy(value));
        }
        self
    }

    /// What the guest reads as standard input.
    pub fn stdin(&mut self, stream: impl StdinStream + 'static) -> &mut Self {
        self.ctx.stdin = Box::new(stream);
        self
    }

    /// Where the guest's standard output goes.
    pub fn stdout(&mut self, stream: impl StdoutStream + 'static) -> &mut Self {
        self.ctx.stdout = Box::new(stream);
        self
    }

    /// Where the guest's standard error goes.
    pub fn stderr(&mut self, stream: impl StdoutStream + 'static) -> &mut Self {
        self.ctx.stderr = Box::new(stream);
        self
    }

    /// Gives the guest this process's standard input.
    pub fn inherit_stdin(&mut self) -> &mut Self {
        self.stdin(cli::stdin())
    }

    /// Gives the guest this process's standard output.
    pub fn inherit_stdout(&mut self) -> &mut Self {
        self.stdout(cli::stdout())
    }

    /// Gives the guest this process's standard error.
    pub fn inherit_stderr(&mut self) -> &mut Self {
        self.stderr(cli::stderr())
    }

    /// Gives the guest all three standard streams of this process.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.inherit_stdin().inherit_stdout().inherit_stderr()
    }

    /// Opens the directory `host_path` and gives it to the guest as `guest_path`.
    ///
    /// `perms` is an [`FsPerms`](crate::FsPerms), or a pair of [`DirPerms`](crate::DirPerms) and
    /// [`FilePerms`](crate::FilePerms). They hold for all that is reached through the directory,
    /// and nothing outside of it is: no `..`, absolute path or symbolic link leads out. The host's
    /// own permissions come on top.
    ///
    /// # Errors
    /// If `host_path` is no directory that this process can open, or there are too many.
    pub fn preopened_dir(
        &mut self,
        host_path: impl AsRef<Path>,
        guest_path: impl AsRef<str>,
        perms: impl Into<Perms>,
    ) -> tenure::Result<&mut Self> {
        let host_path = host_path.as_ref();
        if self.ctx.preopens.len() == MAX_PREOPENS {
            tenure::bail!("more than {MAX_PREOPENS} preopened directories");
        }
        let dir = OpenDir::open_host(host_path, perms.into()).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot open directory {}: {error}", host_path.display()))
        })?;
        self.ctx.preopens.push((dir, guest_path.as_ref().to_owned()));
        Ok(self)
    }

    /// Where random bytes come from. Guests make keys of them: a predictable source is for tests.
    pub fn secure_random(&mut self, rng: impl Rng + 'static) -> &mut Self {
        self.ctx.random = Random::Custom(Box::new(rng));
        self
    }

    /// What the guest takes for the time of day.
    pub fn wall_clock(&mut self, clock: impl HostWallClock + 'static) -> &mut Self {
        self.ctx.clocks.wall = Box::new(clock);
        self
    }

    /// What the guest takes for passing time.
    ///
    /// The clocks of processor time go with the host's: a guest that asks for them then gets
    /// `errno::inval`. Waiting always takes the host's time.
    pub fn monotonic_clock(&mut self, clock: impl HostMonotonicClock + 'static) -> &mut Self {
        self.ctx.clocks.monotonic = Some(Box::new(clock));
        self
    }

    /// Changes nothing: calls always do their work, and wait, on the thread they are made on.
    pub fn allow_blocking_current_thread(&mut self, _enable: bool) -> &mut Self {
        self
    }

    /// Changes nothing: preview 1 has no function that makes a socket.
    pub fn inherit_network(&mut self) -> &mut Self {
        self
    }

    /// Changes nothing: preview 1 has no function that resolves names.
    pub fn allow_ip_name_lookup(&mut self, _enable: bool) -> &mut Self {
        self
    }

    /// Changes nothing: preview 1 has no function that makes a socket.
    pub fn allow_tcp(&mut self, _enable: bool) -> &mut Self {
        self
    }

    /// Changes nothing: preview 1 has no function that makes a socket.
    pub fn allow_udp(&mut self, _enable: bool) -> &mut Self {
        self
    }

    /// What has been configured.
    ///
    /// # Panics
    /// If this builder has built already: what it held is gone.
    pub fn build(&mut self) -> WasiCtx {
        assert!(!self.built, "a `WasiCtxBuilder` builds once");
        self.built = true;
        std::mem::replace(&mut self.ctx, WasiCtx::new())
    }

    /// What has been configured, ready for the functions of preview 1.
    ///
    /// # Panics
    /// If this builder has built already: what it held is gone.
    pub fn build_p1(&mut self) -> WasiP1Ctx {
        WasiP1Ctx::new(self.build())
    }
}

fn lossy(text: OsString) -> String {
    text.to_string_lossy().into_owned()
}
