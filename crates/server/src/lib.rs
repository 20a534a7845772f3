//! The program: command line, configuration, assembly, serving, shutdown.
