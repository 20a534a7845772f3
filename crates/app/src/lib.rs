//! A directory of TOML files read into a typed app, with mistakes shown where they stand.
