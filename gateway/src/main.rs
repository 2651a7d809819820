//! The program: hands its arguments to the command line, and its memory to an allocator that gives it back.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    tidegate::cli::main(std::env::args_os())
}
