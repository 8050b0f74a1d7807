//! The limit of open files: raised as far as this process may.
//! Never knows who opens them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Every connection is an open file, and the soft limit is often 1024 for the sake of
/// programs older than this kind of server; who may raise it by hand may as well be spared that.
pub(super) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!(?current, ?maximum, "raised the limit of open files"),
        Err(error) => tracing::warn!(
            ?current,
            ?maximum,
            "the limit of open files could not be raised ({error}); raise it where Sidegate is started (ulimit -n) if it must \
             serve more connections"
        ),
    }
}
