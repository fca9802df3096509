# python3: processes, threads, event loop, memory maps, sockets, codecs, decimal and big numbers.
# status 134
python3 python.py
