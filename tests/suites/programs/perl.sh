# perl: closures, regular expressions, sorting, packing, fork and pipes, signals, sockets, threads of its own if built in.
# status 4
exec perl perl.pl
