//! `tenfold`: compiles, runs, checks and inspects models. See the library of this package.

fn main() -> std::process::ExitCode {
    cli::main()
}
