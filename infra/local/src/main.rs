//! The command `ioc`: the whole product in one process.

fn main() {}
